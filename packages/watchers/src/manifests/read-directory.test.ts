import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readDirectory } from "./read-directory.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mw-read-"));
});

afterEach(() => rm(directory, { recursive: true }));

test("files that came, went or changed during the look are unsettled, the others are read", async () => {
  for (const name of ["stays.yaml", "goes.yaml", "changes.yaml"]) await writeFile(join(directory, name), name);
  const look = readDirectory(directory, 2_000, new AbortController().signal);
  // Between its two looks at the directory, far from both: a busy machine may pause anywhere.
  await sleep(700);
  await rm(join(directory, "goes.yaml"));
  await writeFile(join(directory, "comes.yaml"), "");
  await writeFile(join(directory, "changes.yaml"), "Changes.yaml");
  const { files, unsettled } = await look;
  expect([...files]).toEqual([["stays.yaml", "stays.yaml"]]);
  expect([...unsettled].sort()).toEqual(["changes.yaml", "comes.yaml", "goes.yaml"]);
});

test("gives up when told to", async () => {
  const stop = new AbortController();
  const look = readDirectory(directory, 60_000, stop.signal);
  stop.abort();
  await expect(look).rejects.toMatchObject({ name: "AbortError" });
});
