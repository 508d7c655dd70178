/** What a contained program tries at its proxy, one kind of attempt after the other. */
import { once } from 'node:events';
import type net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { policyText } from '../../tests/_policy.ts';
import { asking, errorOf, get, helloFor, startRig, statusOf, type Rig } from './_rig.ts';
import { lookupIn } from './_way.ts';
import { createReserved } from './reserved.ts';

let rigs: Rig[] = [];
const rigFor = async (...args: Parameters<typeof startRig>): Promise<Rig> => {
  const rig = await startRig(...args);
  rigs.push(rig);
  rig.names = { 'allowed.example': ['127.0.0.1'], 'front.example': ['127.0.0.1'] };
  return rig;
};
afterEach(() => {
  for (const rig of rigs) rig.close();
  rigs = [];
});
const ALLOWED = 'hosts: [{ host: allowed.example, ports: [443, PORT], private: true }]';
/** A tunnel that is open. */
const open = async (rig: Rig, authority: string, first: Buffer | string): Promise<net.Socket> => {
  const socket = await rig.connect();
  socket.write(asking(authority));
  expect(statusOf(String(((await once(socket, 'data')) as [Buffer])[0]))).toBe(200);
  socket.write(first);
  return socket;
};
/** Ended by the other side, gently or not. */
const gone = (socket: net.Socket): Promise<void> => new Promise((resolve) => void socket.resume().once('close', () => resolve()));
const codeOf = (spec: string): string => {
  try {
    parsePolicy(policyText(spec));
    return 'accepted';
  } catch (error) {
    return JSON.stringify(error, ['issues', 'code']);
  }
};

describe('names and addresses', () => {
  const SPELLINGS = [
    '0x7f.1',
    '2130706433',
    '127.1',
    '0177.0.0.1',
    '0',
    '0x7f000001',
    '127.0.0.1.',
    '１２７.0.0.1',
    '①②⑦.0.0.1',
    '127。0。0。1',
    '[::ffff:7f00:1]',
    '[::1%lo]',
  ];

  it('P1: no spelling of loopback gets anywhere, and none is looked up', async () => {
    const rig = await rigFor('hosts: [{ host: "*", ports: [443, PORT] }, { host: allowed.example, ports: [PORT], private: true }]');
    for (const spelling of SPELLINGS)
      for (const bytes of [asking(`${spelling}:${rig.port}`), get(`http://${spelling}:${rig.port}/`)]) {
        const status = statusOf(await rig.say(Buffer.from(bytes)));
        expect([400, 403], spelling).toContain(status);
      }
    expect([rig.heard, rig.arrived]).toEqual([[], []]);
  });

  it('P2, P3: translated, special and own addresses are no public ones, whatever leads there', async () => {
    const rig = await rigFor('hosts: [{ host: open.example, ports: [PORT] }]');
    for (const address of [
      '64:ff9b::7f00:1',
      '::127.0.0.1',
      '2002:7f00:1::',
      '::ffff:127.0.0.1',
      '0.0.0.0',
      '100.64.0.1',
      '168.63.129.16',
      '192.0.0.1',
      '198.18.0.1',
      '224.0.0.1',
      '240.0.0.1',
      '198.51.100.7',
    ]) {
      rig.names = { 'open.example': [address] };
      expect(errorOf(await rig.say(asking(`open.example:${rig.port}`))), address).toBe('egress.private');
    }
    expect(rig.arrived).toEqual([]);
  });

  it('P3: Cordon’s own end points are closed to every rule, by name and by what else leads there', async () => {
    const names = { 'cordon.example': ['127.0.0.1'], 'alias.example': ['127.0.0.1'] };
    const rig = await rigFor(
      'hosts: [{ host: alias.example, ports: [PORT], private: true }, { host: cordon.example, ports: [PORT], private: true }, { host: 127.0.0.1, ports: [PORT], private: true }]',
      {
        reserved: (host, port, addresses) =>
          createReserved(
            [{ host: 'cordon.example', port: rig.port }],
            lookupIn(names, () => undefined),
          )(host, port, addresses),
      },
    );
    rig.names = names;
    for (const host of ['cordon.example', 'alias.example', '127.0.0.1'])
      for (const bytes of [asking(`${host}:${rig.port}`), get(`http://${host}:${rig.port}/`)])
        expect(errorOf(await rig.say(bytes)), host).toBe('egress.own');
    expect(rig.arrived).toEqual([]);
  });

  it('P4: private addresses need an exact name, and metadata needs the address itself', async () => {
    expect(codeOf('allow: { network: { hosts: [{ host: "*.corp.example", private: true }] } }')).toContain('host.private-wildcard');
    const rig = await rigFor(ALLOWED);
    rig.names = { 'allowed.example': ['169.254.169.254'] };
    expect(errorOf(await rig.say(asking('allowed.example:443')))).toBe('egress.metadata');
    rig.names = { 'allowed.example': ['169.254.169.254', '127.0.0.1'] };
    expect(statusOf(await rig.say(get(`http://allowed.example:${rig.port}/`)))).toBe(200); // only the other answer is dialled
  });

  it('P5: no name server hears of a name that no rule allows', async () => {
    const rig = await rigFor(ALLOWED, {}, 'deny: { network: { hosts: [{ host: denied.example }] } }');
    for (const host of ['secret.evil.test', 'denied.example', 'allowed.example.evil.test'])
      for (const bytes of [asking(`${host}:443`), get(`http://${host}/`)]) expect(statusOf(await rig.say(bytes))).toBe(403);
    await rig.say(asking('allowed.example:444'));
    expect(rig.heard).toEqual([]);
  });

  it('P6: a name is looked up once for each request, and only answers that were judged are dialled', async () => {
    const rig = await rigFor('hosts: [{ host: open.example, ports: [PORT] }, { host: allowed.example, ports: [PORT], private: true }]');
    let asked = 0;
    Object.defineProperty(rig.names, 'open.example', {
      get: () => ((asked += 1) === 1 ? ['192.0.2.1', '127.0.0.1'] : ['127.0.0.1']),
      enumerable: true,
    });
    expect(errorOf(await rig.say(asking(`open.example:${rig.port}`)))).toBe('egress.private');
    expect(errorOf(await rig.say(asking(`open.example:${rig.port}`)))).toBe('egress.private');
    expect(asked).toBe(2);
    expect(statusOf(await rig.say(get(`http://allowed.example:${rig.port}/`)))).toBe(200);
    expect(rig.heard.filter((host) => host === 'allowed.example')).toHaveLength(1);
  });
});

describe('requests', () => {
  it('P7, P8: one grammar names the target; the Host that is sent on is the target’s', async () => {
    const rig = await rigFor(ALLOWED);
    for (const authority of [
      'allowed.example:443@evil:80',
      'evil:443/allowed.example',
      'allowed.example:443#x',
      'evil\\@allowed.example:443',
      'allowed.example:0443',
      'allowed.example:65979',
      'allowed.example:+443',
    ])
      expect(statusOf(await rig.say(asking(authority))), authority).toBe(400);
    for (const url of [
      'http://allowed.example:22/',
      'ftp://allowed.example/',
      'https://allowed.example/',
      'http://a@allowed.example/',
      'http://allowed.example:PORT\\@evil/',
    ])
      expect([400, 403], url).toContain(statusOf(await rig.say(get(url.replace('PORT', String(rig.port))))));
    expect(rig.arrived).toEqual([]);
    await rig.say(`GET http://allowed.example:${rig.port}/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`);
    expect(rig.arrived[0]?.text).toMatch(new RegExp(`^host: allowed\\.example:${rig.port}\\r$`, 'im'));
    expect(rig.arrived[0]?.text).not.toContain('evil');
  });

  it('P9: TLS for another name than CONNECT’s is refused before a byte arrives; only a forward carries what is not TLS at 443', async () => {
    const rig = await rigFor(`hosts: [{ host: front.example, ports: [PORT], private: true }]`);
    const socket = await open(rig, `front.example:${rig.port}`, await helloFor('hidden.example'));
    await gone(socket);
    expect(rig.arrived.map(({ text }) => text).join('')).toBe('');
    expect(rig.decisions.at(-1)).toMatchObject({ verdict: 'denied', code: 'egress.server-name' });
    rig.test.use(rig.rules('forwards: [{ host: front.example, port: PORT, private: true }]'));
    const raw = await open(rig, `front.example:${rig.port}`, await helloFor('hidden.example'));
    await expect.poll(() => rig.arrived.at(-1)?.text.length).toBeGreaterThan(50);
    raw.destroy();
  });

  it('P10, P11: methods and paths open no tunnel, and a path that servers read differently is below no prefix', async () => {
    const rig = await rigFor('hosts: [{ host: allowed.example, ports: [443, PORT], private: true, methods: [GET], paths: [/public] }]');
    for (const authority of ['allowed.example:443', `allowed.example:${rig.port}`])
      expect(statusOf(await rig.say(asking(authority)))).toBe(403);
    for (const rest of [
      '/public/..%2fx',
      '/public/%252e%252e/x',
      '/public/..;/x',
      '/public/..%5cx',
      '/public//x',
      '/public/%2e%2e/x',
      '/public/../x',
      '/public\\..\\x',
    ])
      expect([400, 403], rest).toContain(statusOf(await rig.say(get(`http://allowed.example:${rig.port}${rest}`))));
    expect(rig.arrived).toEqual([]);
    expect(statusOf(await rig.say(get(`http://allowed.example:${rig.port}/public/x`)))).toBe(200);
  });

  it('P12: nothing that two readers take apart differently reaches anybody', async () => {
    const rig = await rigFor(ALLOWED);
    const head = `POST http://allowed.example:${rig.port}/ HTTP/1.1\r\n`;
    for (const fields of [
      'Host: a\r\nHost: b',
      'Host: x\r\nTransfer-Encoding: xchunked',
      'Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
      'Host: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked',
      'Host: x\r\nContent-Length: 0, 5',
      'Host: x\r\nContent-Length: +5',
      'Host: x\r\nTransfer-Encoding: chunked, identity',
      'Host: x\r\nTransfer-Encoding:\x0bchunked',
    ])
      expect(statusOf(await rig.say(`${head}${fields}\r\nConnection: close\r\n\r\n0\r\n\r\n`)), fields).toBe(400);
    expect(rig.arrived).toEqual([]);
    await rig.say(
      get(
        `http://allowed.example:${rig.port}/`,
        'Connection: X-Secret\r\nX-Secret: 1\r\nProxy-Authorization: Basic x\r\nTE: trailers\r\nKeep-Alive: 1\r\n',
      ),
    );
    expect(rig.arrived[0]?.text).not.toMatch(/secret|proxy-auth|^te:|keep-alive/im);
  });

  it('P13: what is sent behind a CONNECT waits for the verdict', async () => {
    const rig = await rigFor(ALLOWED);
    expect(statusOf(await rig.say(`${asking('other.example:443')}GET / HTTP/1.1\r\n\r\n`))).toBe(403);
    expect(rig.arrived).toEqual([]);
  });
});

describe('connections', () => {
  it('P14: no two requests share a connection to a host', async () => {
    const rig = await rigFor(ALLOWED);
    rig.onFirst = (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    for (let i = 0; i < 3; i += 1) await rig.say(get(`http://allowed.example:${rig.port}/`));
    expect(rig.arrived).toHaveLength(3);
    for (const { text } of rig.arrived) expect(text).toMatch(/^connection: close\r$/im);
  });

  it('P14: what a host says after its answer is nobody’s', async () => {
    const rig = await rigFor(ALLOWED);
    rig.onFirst = (socket) =>
      void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison');
    const socket = await rig.connect();
    const keep = `GET http://allowed.example:${rig.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`;
    socket.write(keep);
    let said = '';
    socket.on('data', (chunk) => (said += chunk.toString('latin1')));
    await expect.poll(() => said).toContain('ok');
    rig.onFirst = (later) => void later.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsound');
    socket.write(keep);
    await expect.poll(() => said).toContain('sound');
    expect(said).not.toContain('poison');
    socket.destroy();
  });

  it('P16: a run’s connections are counted where they come in, and those of another run are not touched', async () => {
    const [first, second] = [await rigFor(ALLOWED), await rigFor(ALLOWED)];
    const many = await Promise.all(Array.from({ length: 256 }, () => first.connect()));
    const late = await first.connect();
    await gone(late);
    expect(statusOf(await second.say(get(`http://allowed.example:${second.port}/`)))).toBe(200);
    for (const socket of many) socket.destroy();
  });

  it('P17: a budget of bytes ends an upload in the middle, and everything after it', async () => {
    const rig = await rigFor(ALLOWED, {}, 'limit: { resources: { upload: 1MiB } }');
    rig.onFirst = () => undefined;
    const socket = await open(rig, `allowed.example:${rig.port}`, 'not TLS');
    const closed = gone(socket);
    socket.write(Buffer.alloc(4 * 1024 * 1024));
    await closed;
    expect(rig.arrived[0]?.text.length).toBeLessThan(1.5 * 1024 * 1024);
    expect(rig.decisions.at(-1)).toMatchObject({ verdict: 'denied', code: 'egress.budget' });
    expect(errorOf(await rig.say(asking(`allowed.example:${rig.port}`)))).toBe('egress.budget');
  });

  it('P18: wildcards over names that strangers share are no rules', () => {
    for (const host of ['*.github.io', '*.s3.amazonaws.com', '*.amazonaws.com', '*.pages.dev', '*.co.uk'])
      expect(codeOf(`allow: { network: { hosts: [{ host: "${host}" }] } }`), host).toContain('host.public-suffix');
  });

  it('P21: new rules cut tunnels and requests that they do not allow any more, and no others', async () => {
    const both = 'hosts: [{ host: allowed.example, ports: [PORT], private: true }, { host: front.example, ports: [PORT], private: true }]';
    const rig = await rigFor(both);
    rig.onFirst = () => undefined;
    const kept = await open(rig, `front.example:${rig.port}`, 'stays');
    const cut = await open(rig, `allowed.example:${rig.port}`, 'goes');
    const waiting = rig.say(get(`http://allowed.example:${rig.port}/slow`));
    await expect.poll(() => rig.arrived.filter(({ text }) => text !== '').length).toBe(3);
    const closed = gone(cut);
    rig.test.use(rig.rules('hosts: [{ host: front.example, ports: [PORT], private: true }]'));
    await closed;
    expect(await waiting).toBe('');
    kept.write('!');
    await expect.poll(() => rig.arrived.some(({ text }) => text === 'stays!')).toBe(true);
    expect(rig.decisions.filter(({ code }) => code === 'egress.cut')).toHaveLength(2);
    kept.destroy();
  });

  it('P21: a tunnel goes when its address may not be reached any more, or needs a word that is gone', async () => {
    for (const later of [
      'hosts: [{ host: allowed.example, ports: [PORT] }]',
      'hosts: [{ host: allowed.example, ports: [443], private: true }]',
    ]) {
      const rig = await rigFor(ALLOWED);
      rig.onFirst = () => undefined;
      const socket = await open(rig, `allowed.example:${rig.port}`, 'x');
      await expect.poll(() => rig.arrived[0]?.text).toBe('x');
      const closed = gone(socket);
      rig.test.use(rig.rules(later));
      await closed;
    }
    const rig = await rigFor(ALLOWED);
    const socket = await open(rig, `allowed.example:${rig.port}`, 'x');
    const closed = gone(socket);
    rig.test.use(rig.rules(ALLOWED, 'deny: { network: { cidrs: [{ cidr: 127.0.0.0/8 }] } }'));
    await closed;
  });
});
