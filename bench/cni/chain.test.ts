import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Chain } from "./chain.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-bench-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A plugin that notes how it was called, and whose result is its name. */
function addPlugin(name: string, script = `[ "$CNI_COMMAND" != ADD ] || echo '{"by":"${name}"}'`): void {
  const note = `echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_NETNS $(cat)" >>${directory}/calls`;
  writeFileSync(join(directory, name), `#!/bin/sh\n${note}\n${script}\n`);
  chmodSync(join(directory, name), 0o755);
}

const calls = () => readFileSync(join(directory, "calls"), "utf8").trimEnd().split("\n");
const pod = { containerId: "c1", netns: "/run/netns/p", args: "" };
const chain = (...types: string[]) =>
  new Chain({ cniVersion: "1.0.0", name: "net", plugins: types.map((type) => ({ type })) }, ["/nowhere", directory]);

test("ADD hands each plugin the result of the one before it; DEL runs backwards, with the result of the ADD", () => {
  for (const name of ["first", "last"]) addPlugin(name);
  const both = chain("first", "last");
  const { chain: all, own } = both.run("ADD", pod);
  expect(own).toBeLessThan(all);
  both.run("DEL", pod);
  const config = (type: string, by?: string) =>
    JSON.stringify({ type, cniVersion: "1.0.0", name: "net", ...(by && { prevResult: { by } }) });
  expect(calls()).toEqual([
    `ADD c1 /run/netns/p ${config("first")}`,
    `ADD c1 /run/netns/p ${config("last", "first")}`,
    `DEL c1 /run/netns/p ${config("last", "last")}`,
    `DEL c1 /run/netns/p ${config("first", "last")}`,
  ]);
});

test("a plugin that fails, or is not there, ends it with what it printed", () => {
  addPlugin("bad", 'echo \'{"msg":"no address is left"}\'; exit 1');
  expect(() => chain("bad").run("ADD", pod)).toThrow(/ADD of bad ended with 1: .*no address is left/);
  expect(() => chain("absent").run("ADD", pod)).toThrow(/no plugin absent/);
});
