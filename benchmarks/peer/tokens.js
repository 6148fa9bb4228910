// HS256 bearer tokens, verified as Belfry verifies them: signature first, then expiry.
import { createHmac, timingSafeEqual } from 'node:crypto';

const secret = process.env.PEER_JWT_SECRET;

export function verify(token) {
  const [head, body, signature] = token.split('.');
  const expected = createHmac('sha256', secret).update(`${head}.${body}`).digest();
  const given = Buffer.from(signature ?? '', 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new Error('bad signature');
  const claims = JSON.parse(Buffer.from(body, 'base64url'));
  if (claims.exp * 1000 < Date.now()) throw new Error('expired');
  return { id: claims.sub, admin: claims.role === 'ADMIN', username: claims.username ?? null };
}
