/** An answer on a connection that Node has handed over, so that there is no response to write to. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

export const reply = (client: Duplex, status: number, body: string): void =>
  void client.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
