/** Ports for services that tests and the quickstart start again where they were. */
import net from 'node:net';

/** Whether nothing listens there now. */
const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const probe = net.createServer().once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });

/**
 * A port that is free now and stays so while its service is down: below the range from which systems give ports to connections by themselves (Linux begins at
 * 32768, macOS and Windows at 49152).
 * @throws Error when 200 ports are taken one after another
 */
export const freePort = async (from: number): Promise<number> => {
  for (let port = from; port < from + 200; port += 1) if (await isFree(port)) return port;
  throw new Error(`no free port between ${from} and ${from + 200}: end what uses them, then try again`);
};
