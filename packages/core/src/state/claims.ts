import { addTo, removeFrom } from "./index-map.ts";
import { claimsOf } from "./queries.ts";
import type { State } from "./state.ts";

/** `after` with the index of address claims brought up to date for one pod, whose pod or interface changed since `before`. */
export function reclaimed(before: State, uid: string, after: State): State {
  let { claims } = after;
  for (const address of claimsOf(before, uid)) claims = removeFrom(claims, address, uid);
  for (const address of claimsOf(after, uid)) claims = addTo(claims, address, uid);
  return { ...after, claims };
}
