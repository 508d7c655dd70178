/** The barest CONNECT relay in Node, as a process of its own: dials what it is told, no rules, no checks. Argument: the socket to listen at. */
import http from 'node:http';
import net from 'node:net';

const server = http.createServer();
server.on('connect', (request, client) => {
  const [host = '', port = ''] = (request.url ?? '').split(':');
  const upstream = net.connect(Number(port), host, () => {
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    upstream.pipe(client);
    client.pipe(upstream);
  });
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
});
server.listen(process.argv[2], () => process.send?.('ready'));
process.on('disconnect', () => process.exit(0));
