import { addTo, removeFrom } from "./index-map.ts";
import { claimsOf } from "./queries.ts";
import type { State } from "./state.ts";

/** `after` with the index of address claims brought up to date for one pod, whose pod or interface changed since `before`. */
export function reclaimed(before: State, uid: string, after: State): State {
  const [old, fresh] = [claimsOf(before, uid), claimsOf(after, uid)];
  let { claims } = after;
  for (const address of old) if (!fresh.includes(address)) claims = removeFrom(claims, address, uid);
  for (const address of fresh) if (!old.includes(address)) claims = addTo(claims, address, uid);
  return claims === after.claims ? after : { ...after, claims };
}
