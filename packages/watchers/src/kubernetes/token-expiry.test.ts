import { expect, test } from "vitest";
import { tokenExpiry } from "./token-expiry.ts";

const jwt = (payload: unknown): string => `h.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.s`;
const of = (Authorization?: string) => tokenExpiry({ headers: Authorization === undefined ? {} : { Authorization } });

test("a service account's token says when it ends", () => {
  expect(of(`Bearer ${jwt({ exp: 1_767_322_800, sub: "ü" })}`)).toBe(1_767_322_800_000);
});

test("others do not", () => {
  const silent = [undefined, "Basic YTpi", "Bearer abc", "Bearer a.b.c", `Bearer ${jwt({})}`, `Bearer ${jwt("x")}`];
  expect(silent.map(of)).toEqual(silent.map(() => undefined));
});
