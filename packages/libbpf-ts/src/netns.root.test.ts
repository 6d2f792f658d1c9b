import { afterEach, expect, test } from "vitest";
import { netnsCookie } from "./netns.ts";
import { currentNetns } from "./testing/kernel.ts";
import { TestNetns } from "./testing/test-netns.ts";

const home = currentNetns();
afterEach(() => expect(currentNetns()).toBe(home));

test("each namespace has a cookie of its own, the same each time", () => {
  using one = new TestNetns();
  using other = new TestNetns();
  const cookies = [netnsCookie(), netnsCookie(one.fd), netnsCookie(other.fd)];
  expect(new Set(cookies).size).toBe(3);
  expect([netnsCookie(), netnsCookie(one.fd), netnsCookie(other.fd)]).toEqual(cookies);
  expect(cookies.every((cookie) => cookie > 0n)).toBe(true);
});

test("what is no namespace", () => {
  expect(() => netnsCookie(0)).toThrow(expect.objectContaining({ code: "EINVAL", syscall: "setns" }));
  expect(() => netnsCookie(99_999)).toThrow(expect.objectContaining({ code: "EBADF" }));
  expect(() => netnsCookie(-1)).toThrow(RangeError);
});
