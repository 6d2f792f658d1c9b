import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { Pins, readJson, readNote, writeNote } from "./pins.ts";

let directory: string;
let pins: Pins;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-pins-"));
  pins = new Pins(directory, "millrace");
});
afterEach(() => rmSync(directory, { recursive: true }));

const make = (...parts: readonly string[]): string => {
  const path = join(pins.root, ...parts);
  mkdirSync(path, { recursive: true });
  return path;
};

describe("names", () => {
  test("what was made for a uid is found again, whatever is in it", () => {
    for (const uid of ["a-1", "x.y", "50 % of/it"]) mkdirSync(pins.workload(uid, 7), { recursive: true });
    const found = pins.workloads().map(({ uid, ifindex }) => [uid, ifindex]);
    expect(found).toEqual(
      expect.arrayContaining([
        ["a-1", 7],
        ["x.y", 7],
        ["50 % of/it", 7],
      ]),
    );
    expect([...pins.strayWorkloads(), ...pins.strayProxies()]).toEqual([]);
  });

  test.each([
    ["a name that no uid has: cut off", "%zz"],
    ["one that is written otherwise", "%61"],
    ["one that would lead elsewhere", "%2f"],
  ])("%s", (_, name) => {
    const path = make("workloads", name, "7");
    expect(pins.workloads()).toEqual([]);
    expect(pins.strayWorkloads()).toEqual([join(path, "..")]);
  });

  test("something else than a directory is no workload, no interface and no slot", () => {
    const uid = make("workloads", "uid");
    const proxies = make("proxies");
    const files = [join(pins.root, "workloads", "file"), join(uid, "7"), join(proxies, "0")];
    for (const file of files) writeFileSync(file, "");
    const link = join(proxies, "1");
    symlinkSync("x", link);
    expect(pins.workloads()).toEqual([]);
    expect(pins.proxySlots()).toEqual([]);
    expect(pins.strayWorkloads()).toEqual([join(pins.root, "workloads", "file"), join(uid, "7")]);
    expect(pins.strayProxies()).toEqual([join(proxies, "0"), link]);
  });

  test.each(["foo", "-1", "01", "1e1", "0x1", "99", " 1"])("%j is the number of no slot", (name) => {
    const path = make("proxies", name);
    make("proxies", "2");
    expect(pins.proxySlots()).toEqual([2]);
    expect(pins.strayProxies()).toEqual([path]);
  });

  test.each(["foo", "0", "007", "1e1"])("%j is the index of no interface", (name) => {
    const path = make("workloads", "uid", name);
    make("workloads", "uid", "12");
    expect(pins.workloads().map(({ ifindex }) => ifindex)).toEqual([12]);
    expect(pins.strayWorkloads()).toEqual([path]);
  });

  test("a file where a whole directory should be has none of them", () => {
    make();
    for (const name of ["workloads", "proxies"]) writeFileSync(join(pins.root, name), "");
    expect([pins.workloads(), pins.proxySlots(), pins.strayWorkloads(), pins.strayProxies()]).toEqual([[], [], [], []]);
  });
});

describe("a note", () => {
  const schema = z.strictObject({ n: z.int() });
  const path = () => join(make("notes"), "note");

  test("is read as it was written, and replaced", () => {
    expect(readJson(path(), schema)).toBeUndefined();
    for (const n of [1, 2]) {
      writeNote(path(), JSON.stringify({ n }));
      expect(readJson(path(), schema)).toEqual({ n });
    }
  });

  test.each<[string, (path: string) => void]>([
    ["a dangling link that is no JSON", (at) => symlinkSync("x", at)],
    ["JSON of another shape", (at) => symlinkSync('{"n":"1"}', at)],
    ["a file", (at) => writeFileSync(at, "")],
    ["a directory", (at) => mkdirSync(join(at, "more"), { recursive: true })],
  ])("in whose place is %s is as good as none, and can be written", (_, put) => {
    put(path());
    expect(readJson(path(), schema)).toBeUndefined();
    mkdirSync(`${path()}-new`);
    writeNote(path(), '{"n":1}');
    expect(readJson(path(), schema)).toEqual({ n: 1 });
    expect(lstatSync(`${path()}-new`, { throwIfNoEntry: false })).toBeUndefined();
  });

  test("below something that is no directory is none", () => {
    writeFileSync(path(), "");
    expect(readNote(join(path(), "identity"))).toBeUndefined();
  });
});
