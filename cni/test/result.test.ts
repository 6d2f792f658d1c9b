import { expect, test } from "vitest";
import { errorOf, plugin } from "./support/plugin.ts";

const OLD = ["0.3.0", "0.3.1", "0.4.0"];
const NEW = ["1.0.0", "1.1.0"];
const ALL = [...OLD, ...NEW];
const pairs = (from: string[], to: string[]) => from.flatMap((a) => to.map((b): [string, string] => [a, b]));

/** Runs ADD for a container that is no pod, so that nothing but the result is looked at. Bytes in, bytes out. */
function convert(version: string, prevResult: string) {
  const config = `{"cniVersion":"${version}","name":"n","type":"millrace","prevResult":${prevResult}}`;
  return plugin("ADD", config, { CNI_ARGS: "" });
}

/** Everything that a result of either kind may hold, with what nobody knows in each object, and numbers that no double holds. */
const rest =
  `"interfaces":[ {"name":"eth0","mac":"02:00:00:00:00:02","mtu":1500,"sandbox":"/run/netns/a","pciID":"0","x":[1, 2]} ],` +
  `"routes":[{"dst":"0.0.0.0/0","gw":"198.18.0.1","mtu":1400,"table":254}],"dns":{ "nameservers": ["198.18.0.2"] },"own":{"n":9007199254740993.000e1}`;
const address4 = `"address":"198.18.1.10/24","gateway":"198.18.1.1","interface":0,"unknown":1.0`;
const address6 = `"address":"2001:2::a/64","interface":0`;
const mapped = `"address":"::ffff:198.18.1.10/120"`;

const oldIps = `"ips":[{"version":"4",${address4}},{"version":"6",${address6}},{"version":"4",${mapped}}]`;
const newIps = `"ips":[{${address4}},{${address6}},{${mapped}}]`;

test.each([...pairs(OLD, OLD), ...pairs(NEW, NEW)])(
  "a result of %s is one of %s but for its version",
  async (from, to) => {
    // Not even the order and the space in what would be converted changes.
    const ips = `"ips":[ {${address4}${OLD.includes(from) ? ', "version":"4"' : ""} } ]`;
    const { exit, stdout } = await convert(to, `{${ips},"cniVersion":"${from}",${rest}}`);
    expect(exit).toBe(0);
    expect(stdout).toBe(`{"cniVersion":"${to}",${ips},${rest}}`);
  },
);

test.each(pairs(OLD, NEW))("from %s to %s the addresses lose their version", async (from, to) => {
  const { stdout } = await convert(to, `{"cniVersion":"${from}",${oldIps},${rest}}`);
  expect(stdout).toBe(`{"cniVersion":"${to}",${newIps},${rest}}`);
});

test.each(pairs(NEW, OLD))("from %s to %s the addresses get their version", async (from, to) => {
  const { stdout } = await convert(to, `{"cniVersion":"${from}",${newIps},${rest}}`);
  expect(stdout).toBe(`{"cniVersion":"${to}",${oldIps},${rest}}`);
});

test.each(ALL)("a result without a version is of the configuration's, %s", async (version) => {
  for (const own of ["", `"cniVersion":"",`]) {
    const { stdout } = await convert(version, `{${own}${oldIps}}`);
    expect(stdout).toBe(`{"cniVersion":"${version}",${oldIps}}`);
  }
});

test("a version in an address of 1.x, where there is none, does not survive", async () => {
  const { stdout } = await convert("0.4.0", `{"cniVersion":"1.0.0","ips":[{"version":"6",${address4}}]}`);
  expect(stdout).toBe(`{"cniVersion":"0.4.0","ips":[{"version":"4",${address4}}]}`);
});

test.each([
  ["an empty result", "{}", "{}"],
  ["no addresses", `{"ips":[]}`, `{"ips":[]}`],
  ["null for no addresses, as Go writes it", `{"ips":null}`, `{"ips":null}`],
  [
    "keys that are spelled with escapes",
    `{"\\u0069ps":[{"\\u0076ersion":"4",${address4}}]}`,
    `{"\\u0069ps":[{${address4}}]}`,
  ],
])("hands on %s", async (_, from, to) => {
  const { stdout } = await convert("1.1.0", from.replace("{", `{"cniVersion":"0.4.0"${from === "{}" ? "" : ","}`));
  expect(stdout).toBe(to.replace("{", `{"cniVersion":"1.1.0"${to === "{}" ? "" : ","}`));
});

test.each([
  ["0.2.0", 1],
  ["0.1.0", 1],
  ["2.0.0", 1],
  ["1.1.0 ", 1],
])("refuses a result of version %s", async (version, code) => {
  const error = errorOf(await convert("1.1.0", `{"cniVersion":"${version}"}`));
  expect(error).toMatchObject({ code, details: expect.stringContaining(version) });
});

test.each([
  ["a version that is no text", `{"cniVersion":1}`, 1, /prevResult/],
  ["addresses that are no list", `{"cniVersion":"1.0.0","ips":{}}`, 7, /ips of prevResult is no array/],
  ["an address that is no object", `{"cniVersion":"1.0.0","ips":["198.18.1.10/24"]}`, 7, /no object/],
  ["an entry without an address", `{"cniVersion":"1.0.0","ips":[{}]}`, 7, /without an address/],
  ["an address without a length", `{"cniVersion":"1.0.0","ips":[{"address":"198.18.1.10"}]}`, 7, /without an address/],
  ["an address that is none", `{"cniVersion":"1.0.0","ips":[{"address":"198.18.1.256/24"}]}`, 7, /without an address/],
  ["an address that is a number", `{"cniVersion":"1.0.0","ips":[{"address":4}]}`, 7, /without an address/],
  [
    "an address that is endless",
    `{"cniVersion":"1.0.0","ips":[{"address":"${"1".repeat(5000)}"}]}`,
    7,
    /without an address/,
  ],
  ["a result that is a list", `[]`, 7, /prevResult/],
  ["no result, as null", `null`, 7, /prevResult is missing/],
])("refuses to convert %s", async (_, prevResult, code, reason) => {
  expect(errorOf(await convert("0.4.0", prevResult))).toMatchObject({
    cniVersion: "0.4.0",
    code,
    msg: expect.stringMatching(reason),
  });
});

test("a result as long as can be read is handed on and converted", async () => {
  const ips = (version: string) => Array.from({ length: 45_000 }, () => `{${version}"address":"::/0"}`).join(",");
  const { exit, stdout } = await convert("0.3.1", `{"cniVersion":"1.1.0","ips":[${ips("")}]}`);
  expect(exit).toBe(0);
  expect(stdout).toBe(`{"cniVersion":"0.3.1","ips":[${ips(`"version":"6",`)}]}`);
});

test.each(["ADD", "CHECK"])("%s needs a result to start from", async (command) => {
  const config = { cniVersion: "1.1.0", name: "n", type: "millrace" };
  expect(errorOf(await plugin(command, config))).toMatchObject({
    code: 7,
    msg: expect.stringContaining("prevResult is missing"),
  });
});
