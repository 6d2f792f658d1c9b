import { expect, test } from "vitest";
import { compareSnapshots } from "../snapshot/snapshot.ts";
import { normalForm } from "./normal-form.ts";

function differences(title: string, before: readonly string[], after: readonly string[]): string[] {
  const of = (lines: readonly string[]) => normalForm(new Map([[`n1: ${title}`, lines]]));
  return compareSnapshots(of(before), of(after));
}

test("numbers of our own links are none of the state, those of others are", () => {
  const links = [
    "4: h-m1@if2: <UP> mtu 1500",
    "9: millrace-out: <UP> mtu 1450",
    "9: millrace-out    inet 169.254.0.1/32",
  ];
  const again = links.map((line) => line.replace(/^9/, "12"));
  expect(differences("links and addresses", links, again)).toEqual([]);
  expect(
    differences("links and addresses", links, [...again.slice(0, 2), "12: millrace-out    inet 169.254.0.2/32"]),
  ).toHaveLength(2);
  expect(differences("links and addresses", links, [links[0]?.replace("4:", "5:") ?? "", ...again])).not.toEqual([]);
});

test("neither the order of sets nor that of their members is state", () => {
  const from = [
    "create millrace-from4 hash:net,iface family inet",
    "add millrace-from4 198.18.1.11,h-m2",
    "add millrace-from4 198.18.1.10,h-m1",
  ];
  const to = ["create millrace-to4 hash:ip family inet", "add millrace-to4 198.18.1.10"];
  expect(differences("sets", [...from, ...to], [...to, from[0] ?? "", from[2] ?? "", from[1] ?? ""])).toEqual([]);
  expect(differences("sets", [...from, ...to], [...from.slice(0, 2), ...to])).toEqual([`n1: sets: - ${from[2]}`]);
  expect(differences("sets", [...from, ...to], from)).toHaveLength(2);
});

test("the order in a list of sets is state, and lines of other sections are left alone", () => {
  const list = [
    "create millrace-iface4 list:set size 64",
    "add millrace-iface4 millrace-iface4-1",
    "add millrace-iface4 millrace-iface4-0",
  ];
  expect(differences("sets", list, [list[0] ?? "", list[2] ?? "", list[1] ?? ""])).not.toEqual([]);
  expect(differences("nftables", ["9: millrace"], ["12: millrace"])).toHaveLength(2);
});
