import { expect, test } from "vitest";
import { startWatchers } from "./start-watchers.ts";
import type { Watcher } from "./watcher.ts";

function watchersThatTell(story: string[]): (name: string, fails?: boolean) => Watcher {
  return (name, fails = false) => ({
    name,
    async start() {
      if (fails) throw new Error(`${name} cannot start`);
      story.push(`+${name}`);
      return { [Symbol.asyncDispose]: async () => void story.push(`-${name}`) };
    },
  });
}

test("stops in reverse", async () => {
  const story: string[] = [];
  const watcher = watchersThatTell(story);
  const started = await startWatchers([watcher("a"), watcher("b")], () => {});
  expect(story).toEqual(["+a", "+b"]);
  await started[Symbol.asyncDispose]();
  expect(story).toEqual(["+a", "+b", "-b", "-a"]);
});

test("a start that fails half way is undone", async () => {
  const story: string[] = [];
  const watcher = watchersThatTell(story);
  const starting = startWatchers([watcher("a"), watcher("b"), watcher("c", true), watcher("d")], () => {});
  await expect(starting).rejects.toThrow("c cannot start");
  expect(story).toEqual(["+a", "+b", "-b", "-a"]);
});
