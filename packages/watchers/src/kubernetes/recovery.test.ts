import { expect, test } from "vitest";
import { WatcherError, type WatcherErrorCode } from "../errors.ts";
import { ApiStatusError } from "./api-errors.ts";
import { type Phase, recoveryFrom } from "./recovery.ts";

const status = (code: number, said = "") => new ApiStatusError("a watch", code, said);
const error = (code: WatcherErrorCode) => new WatcherError(code, "");

test.each<[string, unknown, Phase, string]>([
  ["the end as agreed", undefined, "watching", "resume away"],
  ["a broken connection", error("ERR_KUBERNETES_UNREACHABLE"), "watching", "resume away"],
  ["no connection", error("ERR_KUBERNETES_UNREACHABLE"), "open", "resume lost away"],
  ["no connection for a list", error("ERR_KUBERNETES_UNREACHABLE"), "list", "resume lost away"],
  ["no sign of life", error("ERR_KUBERNETES_SILENT"), "watching", "resume lost away"],
  ["a quiet watch", error("ERR_KUBERNETES_QUIET"), "watching", "resume away"],
  ["no credentials", error("ERR_KUBERNETES_ACCESS"), "open", "resume lost away"],
  ["nonsense in a watch", error("ERR_KUBERNETES_ANSWER"), "watching", "relist refused"],
  ["nonsense for a list", error("ERR_KUBERNETES_ANSWER"), "list", "relist lost refused"],
  ["410 to a watch", status(410), "open", "relist away"],
  ["410 in a watch", status(410), "watching", "relist away"],
  ["410 to a list", status(410), "list", "newest lost away"],
  ["a version from the future", status(504, "Too large resource version: 7"), "list", "newest lost away"],
  ["a gateway's timeout", status(504), "list", "resume lost refused"],
  ["500 in a watch", status(500), "watching", "relist refused"],
  ["403", status(403), "open", "resume lost refused"],
  ["404", status(404), "list", "resume lost away"],
])("%s", (_, failure, phase, expected) => {
  const { from, lost, pause } = recoveryFrom(failure, phase, true);
  expect([from, ...(lost ? ["lost"] : []), pause].join(" ")).toBe(expected);
});

test("a quiet watch that has brought nothing since it was resumed is followed by a list", () => {
  const after = (code: WatcherErrorCode, proven: boolean) => recoveryFrom(error(code), "watching", proven).from;
  expect(after("ERR_KUBERNETES_QUIET", false)).toBe("relist");
  expect(after("ERR_KUBERNETES_QUIET", true)).toBe("resume");
  expect(after("ERR_KUBERNETES_UNREACHABLE", false)).toBe("resume");
});
