import { byCodeUnit } from "./address.ts";

/** What JSON can say. `undefined` members of objects are allowed and left out. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * JSON with one text for one value: keys sorted by code unit, no white space, members that are `undefined` left out. Two values are
 * the same decision exactly when these texts are the same bytes.
 *
 * Throws a TypeError for what JSON cannot say (functions, NaN, bigint, `undefined` in an array): such a value would not survive the log.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case "string":
    case "boolean":
      return JSON.stringify(value);
    case "number":
      if (Number.isFinite(value)) return JSON.stringify(value);
      break;
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
      return canonicalObject(value as Record<string, unknown>);
  }
  throw new TypeError(`canonicalJson: ${String(value)} (${typeof value}) has no JSON form`);
}

function canonicalObject(value: Record<string, unknown>): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`canonicalJson: ${value.constructor?.name ?? "object"} is not a plain object`);
  }
  const members: string[] = [];
  for (const key of Object.keys(value).sort(byCodeUnit)) {
    const member = value[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(",")}}`;
}
