import { Counter, type Registry } from "prom-client";
import { WRITES } from "../kubernetes/api-writes.ts";
import type { Refresh } from "./metrics.ts";

/** What the agent writes into the cluster. */
export function writeMetrics(register: Registry): Refresh {
  const writes = new Counter({
    name: "millrace_api_writes_total",
    help: "Writes into the cluster by kind (annotation, event, taint) and by result: success, HTTP_<status>, or an error's code.",
    labelNames: ["kind", "result"],
    registers: [register],
  });
  return ({ writes: counts }) => {
    writes.reset();
    for (const kind of WRITES) {
      for (const [result, count] of Object.entries(counts[kind])) writes.inc({ kind, result }, count);
    }
  };
}
