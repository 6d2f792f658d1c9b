import { z } from "zod";
import type { ApiAccess } from "./api-access.ts";

const claims = z.object({ exp: z.number() });

/**
 * When the bearer token says that it ends, in milliseconds since the epoch: the claim `exp` of a service account's token (RFC 7519, 4.1.4).
 * Undefined where there is no token, or one that does not say.
 */
export function tokenExpiry({ headers }: Pick<ApiAccess, "headers">): number | undefined {
  const payload = /^Bearer [^.]+\.([^.]+)\.[^.]+$/.exec(headers.Authorization ?? "")?.[1];
  if (payload === undefined) return undefined;
  try {
    return claims.parse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8"))).exp * 1000;
  } catch {
    return undefined; // it has three parts, and is no JWT all the same
  }
}
