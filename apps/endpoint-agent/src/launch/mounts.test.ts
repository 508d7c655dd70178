import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { compareMounts, parseMountinfo, type Mount, type Planned } from './mounts.ts';

/** A real table of a held sandbox with one folder to write, one to read, and a masked folder and file. */
const TABLE = `88 64 0:40 /newroot / ro,nosuid,nodev,relatime - tmpfs tmpfs rw,uid=65534,gid=65534
89 88 254:0 /usr/bin /bin ro,nosuid,nodev,relatime - ext4 /dev/vda rw,discard
93 88 254:0 /usr/bin /usr/bin ro,nosuid,nodev,relatime - ext4 /dev/vda rw,discard
99 88 254:0 /etc /etc ro,nosuid,nodev,relatime - ext4 /dev/vda rw,discard
117 99 254:0 /etc/ssl/certs /etc/ssl/certs ro,nosuid,nodev,relatime - ext4 /dev/vda rw,discard
100 88 0:41 / /dev ro,nosuid,nodev,relatime - tmpfs tmpfs rw,mode=755
101 100 0:6 /null /dev/null rw,nosuid,relatime - devtmpfs devtmpfs rw,mode=755
107 100 0:42 / /dev/pts rw,nosuid,noexec,relatime - devpts devpts rw,mode=620
108 100 0:46 / /dev/shm rw,nosuid,nodev,relatime - tmpfs tmpfs rw,size=1048576k
109 88 0:43 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
110 88 0:44 / /tmp rw,nosuid,nodev,relatime - tmpfs tmpfs rw,size=1048576k
111 109 0:45 / /proc/1 ro,nosuid,nodev,relatime - tmpfs tmpfs rw,size=4k
116 109 0:6 /null /proc/cmdline ro,nosuid,nodev,relatime - devtmpfs devtmpfs rw
112 88 254:0 /proj/app /proj/app rw,nosuid,nodev,relatime shared:7 master:3 - ext4 /dev/vda rw
113 88 254:0 /srv/my\\040notes /srv/my\\040notes ro,nosuid,nodev,relatime - ext4 /dev/vda rw
114 113 0:47 / /srv/my\\040notes/private ro,nosuid,nodev,relatime - tmpfs tmpfs rw,size=4k
115 113 0:6 /null /srv/my\\040notes/token ro,nosuid,nodev,relatime - devtmpfs devtmpfs rw
`;
const PLAN: Planned = {
  readonly: ['/srv/my notes'],
  readwrite: ['/proj/app'],
  denied: ['/proc/1', '/srv/my notes/private', '/srv/my notes/token'],
  hostFacts: ['/proc/cmdline'],
  shared: ['/etc/ssl/certs'],
};
const mounts = parseMountinfo(TABLE);
const change = (target: string, part: Partial<Mount>): Mount[] =>
  mounts.map((mount) => (mount.target === target ? { ...mount, ...part } : mount));

describe('parseMountinfo', () => {
  it('reads place, writability and type, whatever optional fields there are', () => {
    expect(mounts.find(({ target }) => target === '/proj/app')).toEqual({ target: '/proj/app', writable: true, type: 'ext4' });
    expect(mounts.find(({ target }) => target === '/')).toEqual({ target: '/', writable: false, type: 'tmpfs' });
  });

  it('reads names with spaces, tabs, line breaks and backslashes', () => {
    const [mount] = parseMountinfo('1 2 0:1 / /a\\040b\\011c\\012d\\134e ro - tmpfs tmpfs rw\n');
    expect(mount?.target).toBe('/a b\tc\nd\\e');
  });
});

describe('compareMounts', () => {
  it('finds nothing wrong where the table is the plan', () => {
    expect(compareMounts(mounts, PLAN)).toEqual([]);
  });

  it('finds a mount that nobody planned', () => {
    for (const target of [
      '/run/systemd/resolve',
      '/home/user/.ssh',
      '/work',
      '/proj/app/inner',
      '/dev/kvm',
      '/etc/more',
      '/proc/2',
      '/tmp/x',
    ])
      expect(compareMounts([...mounts, { target, writable: false, type: 'ext4' }], PLAN), target).toEqual([
        `${target} is mounted, but not planned`,
      ]);
  });

  it('finds a planned mount that is not there', () => {
    for (const target of [...PLAN.readonly, ...PLAN.readwrite, ...PLAN.denied, ...PLAN.hostFacts])
      expect(
        compareMounts(
          mounts.filter((mount) => mount.target !== target),
          PLAN,
        ),
        target,
      ).toEqual([`${target} is planned, but not mounted`]);
  });

  it('finds what is writable and should not be', () => {
    for (const target of ['/bin', '/etc', '/etc/ssl/certs', '/srv/my notes'])
      expect(compareMounts(change(target, { writable: true }), PLAN)).toEqual([`${target} is writable`]);
    expect(compareMounts(change('/', { writable: true }), PLAN)).toEqual(['/ is not a read-only tmpfs']);
    expect(compareMounts(change('/dev', { writable: true }), PLAN)).toEqual(['/dev is not a read-only tmpfs']);
    expect(compareMounts(change('/proc/1', { writable: true }), PLAN)).toEqual(['the mask over /proc/1 is writable']);
  });

  it('finds a denied place that is the real one', () => {
    expect(compareMounts(change('/srv/my notes/private', { type: 'ext4' }), PLAN)).toEqual([
      '/srv/my notes/private is denied but not masked',
    ]);
  });

  it('finds a root, temporary folder or process table that is the host’s', () => {
    expect(compareMounts(change('/', { type: 'ext4' }), PLAN)).toEqual(['/ is not a read-only tmpfs']);
    expect(compareMounts(change('/tmp', { type: 'ext4' }), PLAN)).toEqual(['/tmp is not private']);
    expect(compareMounts(change('/dev/shm', { type: 'ext4' }), PLAN)).toEqual(['/dev/shm is not private']);
    expect(compareMounts(change('/proc', { type: 'ext4' }), PLAN)).toEqual(['/proc is not a proc of its own']);
    expect(compareMounts(change('/dev/pts', { type: 'ext4' }), PLAN)).toEqual(['/dev/pts is not a devpts of its own']);
    expect(compareMounts(change('/proc/cmdline', { type: 'proc' }), PLAN)).toEqual(['/proc/cmdline is not masked']);
  });

  it('judges what is on top where mounts are stacked', () => {
    expect(compareMounts([...mounts, { target: '/proc/1', writable: false, type: 'proc' }], PLAN)).toEqual([
      '/proc/1 is denied but not masked',
    ]);
    expect(compareMounts([...mounts, { target: '/etc', writable: true, type: 'ext4' }], PLAN)).toEqual(['/etc is writable']);
  });

  it('a deny wins over a grant of the same place', () => {
    const plan = { ...PLAN, readwrite: [...PLAN.readwrite, '/srv/my notes/private'] };
    expect(compareMounts(change('/srv/my notes/private', { type: 'ext4', writable: true }), plan)).toEqual([
      '/srv/my notes/private is denied but not masked',
    ]);
  });

  it('nothing can be added to, taken from or made writable in a table that fits', () => {
    const target = fc
      .stringMatching(/^(\/[a-z.]{1,8}){1,3}$/)
      .filter((text) => !mounts.some((mount) => mount.target === text) && !/^\/(s?bin|lib\w*|etc|usr|dev)/.test(text));
    fc.assert(
      fc.property(target, fc.boolean(), fc.constantFrom('tmpfs', 'ext4', 'overlay'), (place, writable, type) => {
        expect(compareMounts([...mounts, { target: place, writable, type }], PLAN)).not.toEqual([]);
      }),
      { numRuns: LAW_RUNS },
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...mounts.map((mount) => mount.target).filter((place) => !/^\/(dev\/|tmp$|proc$|proj\/)/.test(place))),
        (place) => {
          expect(compareMounts(change(place, { writable: true }), PLAN)).not.toEqual([]);
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });
});
