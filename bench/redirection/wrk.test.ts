import { expect, test } from "vitest";
import { CONNECT, HTTP } from "./loads.ts";
import { readWrk, wrkCommand } from "./wrk.ts";

test("its command", () => {
  const [program, ...rest] = wrkCommand(HTTP, "http://198.18.1.11:8080/128", 1.5);
  expect([program, ...rest.slice(0, 3)]).toEqual(["wrk", "-t1", "-c16", "-d2s"]);
  expect(rest.at(-1)).toBe("http://198.18.1.11:8080/128");
  expect(rest).not.toContain("Connection: close");
  expect(wrkCommand(CONNECT, "http://198.18.1.11:8080/128", 0.3)).toEqual(
    expect.arrayContaining(["-d1s", "Connection: close"]),
  );
});

test("what the script writes is found among wrk's own lines", () => {
  const output = `Running 1s test @ http://198.18.1.11:8080/128
  1 threads and 16 connections
Requests/sec:   2452.11
{"requests":2452,"microseconds":1026915,"bytes":475688,"failed":2,"p50":5048,"p75":9352,"p99":31844}
`;
  expect(readWrk(output)).toEqual({
    requests: 2452,
    seconds: 1.026915,
    bytes: 475688,
    failed: 2,
    p50: 5.048,
    p75: 9.352,
    p99: 31.844,
  });
  expect(() => readWrk("unable to connect")).toThrow("unable to connect");
});
