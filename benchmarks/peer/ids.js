// Event ids: UUIDv7, always above the room's last.
import { randomBytes } from 'node:crypto';

export function idAfter(last, milliseconds) {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(milliseconds, 0, 6);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const id = bytes.toString('hex');
  if (!last || id > last.replaceAll('-', '')) return withDashes(id);
  return withDashes((BigInt('0x' + last.replaceAll('-', '')) + 1n).toString(16).padStart(32, '0'));
}

function withDashes(hex) {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
