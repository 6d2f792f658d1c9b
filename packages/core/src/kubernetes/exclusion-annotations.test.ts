import { expect, test } from "vitest";
import { MAX_EXCLUSIONS, readExclusions } from "./exclusion-annotations.ts";

const NONE = { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] };

test("nothing is excluded by default", () => {
  expect(readExclusions({})).toEqual({ exclusions: NONE, problems: [] });
  expect(readExclusions({ "millrace.dev/exclude-outbound-ports": " , " })).toEqual({ exclusions: NONE, problems: [] });
});

test("each list has an annotation of its own, and comes out sorted, canonical and without repetitions", () => {
  const read = readExclusions({
    "millrace.dev/exclude-outbound-ports": "5432, 443,5432,",
    "millrace.dev/exclude-outbound-cidrs": "2001:0002::1/48, 198.19.0.1/15,198.18.0.0/15",
    "millrace.dev/exclude-inbound-ports": "9090",
    "millrace.dev/exclude-inbound-cidrs": "198.18.7.1",
  });
  expect(read).toEqual({
    exclusions: {
      outboundPorts: [443, 5432],
      outboundCidrs: ["198.18.0.0/15", "2001:2::/48"],
      inboundPorts: [9090],
      inboundCidrs: ["198.18.7.1/32"],
    },
    problems: [],
  });
});

test("an entry that cannot be read excludes nothing and is told; the others stand", () => {
  const read = readExclusions({
    "millrace.dev/exclude-outbound-ports": "http,0,65536,443,-1,1e3,0x50,8080-8090",
    "millrace.dev/exclude-inbound-cidrs": "198.18.0.0/33,2001:2::/48",
  });
  expect(read.exclusions).toEqual({ ...NONE, outboundPorts: [443], inboundCidrs: ["2001:2::/48"] });
  expect(read.problems).toEqual([
    ...["http", "0", "65536", "-1", "1e3", "0x50", "8080-8090"].map(
      (text) =>
        `annotation millrace.dev/exclude-outbound-ports: "${text}" is no TCP port (1 to 65535) and excludes nothing`,
    ),
    'annotation millrace.dev/exclude-inbound-cidrs: "198.18.0.0/33" is no network such as 198.18.0.0/15 and excludes nothing',
  ]);
});

test("more than anybody writes by hand are cut off and told", () => {
  const ports = Array.from({ length: MAX_EXCLUSIONS + 2 }, (_, index) => index + 1);
  const read = readExclusions({ "millrace.dev/exclude-inbound-ports": ports.join(",") });
  expect(read.exclusions.inboundPorts).toEqual(ports.slice(0, MAX_EXCLUSIONS));
  expect(read.problems).toEqual([
    "annotation millrace.dev/exclude-inbound-ports has 130 entries; those after the first 128 exclude nothing",
  ]);
});
