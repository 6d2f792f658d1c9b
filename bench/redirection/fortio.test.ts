import { expect, test } from "vitest";
import { fortioCommand, readFortio } from "./fortio.ts";
import { latency, maxQps } from "./loads.ts";

test("the field's own commands", () => {
  const url = "http://198.18.1.11:8080/128";
  expect(fortioCommand(maxQps(64), url, 3).join(" ")).toContain("load -uniform -qps 0 -c 64 -t 3s ");
  expect(fortioCommand(latency(16), url, 3).join(" ")).toContain("load -uniform -qps 8000 -c 16 -t 3s ");
});

test("what it writes", () => {
  const output = JSON.stringify({
    ActualDuration: 2_000_000_000,
    RetCodes: { "200": 15_990, "-1": 10 },
    Sizes: { Count: 16_000, Sum: 3_000_000 },
    DurationHistogram: {
      Count: 16_000,
      Percentiles: [
        { Percentile: 50, Value: 0.0001 },
        { Percentile: 75, Value: 0.0002 },
        { Percentile: 99, Value: 0.001 },
      ],
    },
  });
  expect(readFortio(`Fortio says something\n${output}`)).toEqual({
    requests: 16_000,
    seconds: 2,
    bytes: 3_000_000,
    failed: 10,
    p50: 0.1,
    p75: 0.2,
    p99: 1,
  });
});
