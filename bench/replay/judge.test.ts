import { expect, test } from "vitest";
import { judge } from "./judge.ts";

const good = { events: 1_000_000, seconds: 9.9, bytes: 299e6, differences: 0 };

test.each([
  ["as it has to be", {}, []],
  ["slow", { seconds: 12 }, [/^83333 events\/s/]],
  ["slower", { seconds: 15 }, [/^66667 events\/s/, /^15\.00 s/]],
  ["large", { bytes: 300e6 }, [/^300 MB/]],
  ["not the same", { differences: 2 }, [/^2 differences/]],
])("a replay that is %s", (_, over, failures) => {
  expect(judge({ ...good, ...over })).toEqual(failures.map((failure) => expect.stringMatching(failure)));
});
