/** A proxy on a socket with a raw server behind it, for tests that speak to it byte by byte. */
import { once } from 'node:events';
import fs from 'node:fs';
import type http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import tls from 'node:tls';
import type { EgressRules } from '@cordon/policy/egress-rules.ts';
import { egressOf, lookupIn, testWay, type SaidDecision, type TestWay } from './_way.ts';
import { createProxy } from './proxy.ts';
import type { Way } from './way.ts';

export interface Rig {
  readonly port: number;
  readonly socketPath: string;
  readonly decisions: SaidDecision[];
  /** Names that a name server heard. */
  readonly heard: string[];
  /** Connections that arrived, and what each said. */
  readonly arrived: { socket: net.Socket; text: string }[];
  /** How the server answers what a connection says first. */
  onFirst: (socket: net.Socket) => void;
  names: Record<string, readonly string[]>;
  readonly test: TestWay;
  /** Bytes to the proxy. @returns everything that came back until it closed */
  say(bytes: string | Buffer): Promise<string>;
  connect(): Promise<net.Socket>;
  /** Rules for this server's port. @param network in `{}` of `allow.network`, with PORT for the port */
  rules(network: string, more?: string): EgressRules;
  close(): void;
}

export const HELLO_OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';

export const startRig = async (
  network: string,
  more: Partial<Pick<Way, 'upstream' | 'origination' | 'reserved'>> = {},
  rest = '',
): Promise<Rig> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-rig-'));
  const socketPath = path.join(folder, 'proxy.sock');
  const arrived: Rig['arrived'] = [];
  const server = net.createServer((socket) => {
    const entry = { socket, text: '' };
    arrived.push(entry);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => (entry.text += chunk.toString('latin1')));
    socket.once('data', () => rig.onFirst(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const rules: Rig['rules'] = (text, other = '') => egressOf(`allow: { network: { ${text} } }\n${other}`.replaceAll('PORT', String(port)));
  const heard: string[] = [];
  const decisions: SaidDecision[] = [];
  const test = testWay(
    rules(network, rest),
    (host) => lookupIn(rig.names, (name) => heard.push(name))(host),
    (decision) => decisions.push(decision),
    more,
  );
  const proxy: http.Server = createProxy(test.way).listen(socketPath);
  await once(proxy, 'listening');
  const connect: Rig['connect'] = async () => {
    const socket = net.connect(socketPath);
    socket.on('error', () => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  const rig: Rig = {
    port,
    socketPath,
    decisions,
    heard,
    arrived,
    onFirst: (socket) => void socket.end(HELLO_OK),
    names: {},
    test,
    connect,
    say: async (bytes) => {
      const socket = await connect();
      socket.write(bytes);
      const answer = await buffer(socket);
      socket.destroy();
      return answer.toString('latin1');
    },
    rules,
    close: () => {
      proxy.closeAllConnections();
      proxy.close();
      for (const { socket } of arrived) socket.destroy();
      server.close();
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
  return rig;
};

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
export const errorOf = (answer: string): string => /"error":"([^"]+)"/.exec(answer)?.[1] ?? '';
export const get = (target: string, fields = ''): string => `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`;
export const asking = (authority: string): string => `CONNECT ${authority} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** The first bytes of a TLS client that names a host. */
export const helloFor = async (servername: string): Promise<Buffer> => {
  const taker = net.createServer();
  taker.listen(0, '127.0.0.1');
  await once(taker, 'listening');
  const client = tls.connect({ port: (taker.address() as net.AddressInfo).port, host: '127.0.0.1', servername });
  client.on('error', () => undefined);
  const [socket] = (await once(taker, 'connection')) as [net.Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  taker.close();
  return hello;
};
