import { describe, expect, it } from 'vitest';
import { applied, documentOf, resolved } from '../_small-world.ts';
import { effectiveOf } from '../_arbitrary-policy.ts';
import type { PolicyDocument } from '../document/schema.ts';
import type { OperatingSystem, Subject } from '../effective.ts';
import { allowedVariables, createDecider, type Decider } from './decider.ts';

const subject: Subject = { agent: { id: 'claude-code', proof: 'proven' }, user: 'u', os: 'linux' };
const under = (...specs: PolicyDocument['spec'][]): Decider =>
  createDecider(
    resolved(
      specs.map((spec, i) => applied(i, documentOf(`p${i}`, spec))),
      subject,
    ),
  );

describe('hosts', () => {
  it('are reached at port 443 unless a rule says otherwise; a bare host in a deny is every port', () => {
    const decider = under({
      allow: { network: { hosts: [{ host: 'a.com' }, { host: 'b.com', ports: [22, 443] }] } },
      deny: { network: { hosts: [{ host: 'b.com', ports: [22] }, { host: 'c.a.com' }] } },
    });
    expect(
      ['a.com:443', 'a.com:80', 'b.com:443', 'b.com:22'].map(
        (at) => decider.host(at.split(':')[0] ?? '', Number(at.split(':')[1])).verdict,
      ),
    ).toEqual(['allowed', 'denied', 'allowed', 'denied']);
  });

  it('with methods or paths are for plain HTTP and open no tunnel; a deny with them closes the tunnel', () => {
    const only = under({ allow: { network: { hosts: [{ host: 'a.com', ports: [80, 443], methods: ['GET'], paths: ['/api'] }] } } });
    expect(only.host('a.com', 80, { method: 'GET', path: '/api/x' }).verdict).toBe('allowed');
    expect(only.host('a.com', 80, { method: 'POST', path: '/api/x' }).verdict).toBe('denied');
    expect(only.host('a.com', 80, { method: 'GET', path: '/other' }).verdict).toBe('denied');
    expect(only.host('a.com', 443).verdict).toBe('denied');
    const closed = under({
      allow: { network: { hosts: [{ host: 'a.com', ports: [80, 443] }] } },
      deny: { network: { hosts: [{ host: 'a.com', methods: ['DELETE'] }] } },
    });
    expect(closed.host('a.com', 443).verdict).toBe('denied');
    expect(closed.host('a.com', 80, { method: 'GET', path: '/' }).verdict).toBe('allowed');
    expect(closed.host('a.com', 80, { method: 'DELETE', path: '/' }).verdict).toBe('denied');
  });

  it('are not reached by a path that servers may read as another, when paths decide', () => {
    const unclear = { method: 'GET', path: undefined };
    expect(
      under({ allow: { network: { hosts: [{ host: 'a.com', ports: [80], paths: ['/api'] }] } } }).host('a.com', 80, unclear).verdict,
    ).toBe('denied');
    expect(
      under({
        allow: { network: { hosts: [{ host: 'a.com', ports: [80] }] } },
        deny: { network: { hosts: [{ host: 'a.com', paths: ['/admin'] }] } },
      }).host('a.com', 80, unclear).verdict,
    ).toBe('denied');
    expect(under({ allow: { network: { hosts: [{ host: 'a.com', ports: [80] }] } } }).host('a.com', 80, unclear).verdict).toBe('allowed');
  });
});

describe('networks by number', () => {
  const decider = under({
    allow: { network: { hosts: [{ host: 'a.com' }], cidrs: [{ cidr: '8.8.0.0/16', except: ['8.8.8.0/24'], ports: [53] }] } },
    deny: { network: { cidrs: [{ cidr: '8.8.4.0/24' }] } },
    limit: { network: { cidrs: [{ cidr: '8.0.0.0/8' }] } },
  });

  it('allow literals at their ports, without the exceptions', () => {
    expect(
      ['8.8.1.1:53', '8.8.1.1:443', '8.8.8.8:53', '8.8.4.4:53', '9.9.9.9:53'].map(
        (at) => decider.host(at.split(':')[0] ?? '', Number(at.split(':')[1])).verdict,
      ),
    ).toEqual(['allowed', 'denied', 'denied', 'denied', 'denied']);
  });

  it('stop a name at the address that it leads to', () => {
    expect(decider.host('a.com', 443).verdict).toBe('allowed');
    expect(decider.egress.addressStops('8.8.4.4', 443).map(({ policy }) => policy)).toEqual(['p0']);
    expect(decider.egress.addressStops('1.1.1.1', 443)).toHaveLength(1);
    expect(decider.egress.addressStops('::ffff:8.8.4.4', 443)).toHaveLength(1);
    expect(decider.egress.addressStops('8.1.1.1', 443)).toEqual([]);
  });

  it('are denied in whatever form a translator makes of the address', () => {
    const open = under({
      allow: { network: { hosts: [{ host: 'a.com' }, { host: '64:ff9b::808:404' }, { host: '64:ff9b::808:505' }] } },
      deny: { network: { cidrs: [{ cidr: '8.8.4.0/24' }] } },
    });
    for (const address of ['64:ff9b::808:404', '2002:808:404::1', '::ffff:0:808:404'])
      expect(open.egress.addressStops(address, 443)).toHaveLength(1);
    expect(open.egress.addressStops('64:ff9b::808:505', 443)).toEqual([]);
    expect(open.host('64:ff9b::808:404', 443).verdict).toBe('denied');
    expect(open.host('64:ff9b::808:505', 443).verdict).toBe('allowed');
  });
});

describe('rights and names', () => {
  it('unite over allows, are taken by denies and bounded by every limit', () => {
    const decider = under(
      { allow: { ui: { clipboard: 'read', windows: true }, environment: ['LANG', 'TERM'] } },
      { allow: { ui: { clipboard: 'write' }, network: { ingress: true }, environment: ['EXTRA'] } },
      {
        deny: { environment: ['TERM'], network: { ingress: true } },
        limit: { ui: { windows: false }, environment: ['LANG', 'TERM', 'OTHER'] },
      },
    );
    expect(
      (['ui.clipboard.read', 'ui.clipboard.write', 'ui.windows', 'network.ingress', 'ui.input-injection'] as const).map(
        (right) => decider.right(right).verdict,
      ),
    ).toEqual(['allowed', 'allowed', 'denied', 'denied', 'denied']);
    expect(['LANG', 'TERM', 'EXTRA', 'OTHER'].map((name) => decider.variable(name).verdict)).toEqual([
      'allowed',
      'denied',
      'denied',
      'denied',
    ]);
    expect(allowedVariables(decider.effective)).toEqual(['LANG']);
  });
});

describe('a name of a variable', () => {
  it('is compared as the system compares it', () => {
    const specs = [
      { allow: { environment: ['API_KEY', 'LANG'] } },
      { deny: { environment: ['api_key'] }, limit: { environment: ['Lang', 'API_KEY'] } },
    ];
    const policies = specs.map((spec, i) => applied(i, documentOf(`p${i}`, spec)));
    const on = (os: OperatingSystem): readonly string[] => {
      const effective = effectiveOf(policies, os);
      const decider = createDecider(effective);
      const names = ['API_KEY', 'LANG'].filter((name) => decider.variable(name).verdict === 'allowed');
      expect(allowedVariables(effective)).toEqual(names);
      return names;
    };
    expect(on('windows')).toEqual(['LANG']);
    expect(on('linux')).toEqual(['API_KEY']);
  });

  it('that changes what programs load is not passed on, even if a policy that was never checked allows it', () => {
    expect(allowedVariables(under({ allow: { environment: ['LD_PRELOAD', 'LANG'] } }).effective)).toEqual(['LANG']);
  });
});

describe('a launch that is refused', () => {
  it('allows nothing, and says why wherever it is asked', () => {
    const decider = under({ allow: { filesystem: { read: ['/srv'] }, environment: ['LANG'] }, deny: { run: true } });
    expect(decider.path('/srv/x', 'read')).toMatchObject({ verdict: 'denied', rule: { policy: 'p0' } });
    expect(decider.host('a.com', 443).reason).toContain(
      'nothing starts here: p0 says that agent claude-code of user u does not start here',
    );
    expect(allowedVariables(decider.effective)).toEqual([]);
  });
});
