import type { Chart } from "./charts.ts";
import { isLoaded } from "./machine.ts";
import { ratioLine } from "./ratios.ts";
import type { Results } from "./results.ts";
import { tables } from "./table.ts";
import { LEAST_QPS } from "./validity.ts";

/** `docs/performance.md` of a run. Pictures and the results lie in `performance/` beside it. */
export function page(results: Results, charts: readonly Chart[]): string {
  const { machine, plan, seconds, rows, ratios } = results;
  const loaded = isLoaded(machine)
    ? `\n**The machine was busy with other things** (load ${machine.load.toFixed(1)} at the start): these figures show that the measurement works, and nothing else.\n`
    : "";
  const pictures = charts.map(({ name, title }) => `![${title}](performance/${name}.svg)`).join("\n\n");
  return `# Performance

What it costs a request to be led through the node's proxy: measured, and written here, by \`${plan === "full" ? "make bench" : "make bench-quick"}\`, which anybody can repeat.
**The ratios are the result**: each compares two ways of one repetition on one machine. The figures they are made of are context; on another machine they are others.
${loaded}
| | |
| --- | --- |
| machine | ${machine.processor}, ${machine.processors} processors, ${machine.memoryGib} GiB |
| kernel | Linux ${machine.kernel} |
| commit | ${machine.commit} |
| begun | ${machine.began}, load ${machine.load.toFixed(2)} |
| took | ${(seconds / 60).toFixed(1)} minutes |

## Ratios

On one processor and one node. Rates: more is better; \`p75\`: less is better. The median of the repetitions' ratios, with the least and the greatest. \`ebpf\` is tcx, \`iptables\` nft.

\`\`\`
${ratios.map(ratioLine).join("\n")}
\`\`\`

## What is compared

| mode | the client's connections |
| --- | --- |
| direct | go to the server, and nobody is between |
| explicit | go to the proxy, which the client knows: what a user would do without redirection |
| ebpf-tcx, ebpf-clsact | are led to the proxy by the eBPF backend, attached in either way |
| iptables-nft, iptables-legacy | are led to the proxy by the iptables backend, in either flavour |

The light rig: wrk or Fortio as the client, and the server and the relay of [bench/rig](../bench/README.md#make-bench), which cost little, so that the way shows. The client is a
member, the server is not, so a request passes the proxy once. All of it is IPv4, in network namespaces that are made anew for each repetition of each mode; modes
take turns. Every run was checked by the kernel's counters of the proxy's namespace: all that the client read came there first, and in \`direct\` nothing did.

| load | |
| --- | --- |
| http | wrk, 16 connections, 128 bytes |
| bulk | wrk, 4 connections, 1 MiB |
| connect | wrk, 16 connections at a time, a new one for each request |
| round-trip | wrk, 1 connection, 1 byte |
| max-qps-N | \`fortio load -uniform -qps 0 -c N\` |
| p75-N | \`fortio load -uniform -qps 8000 -c N\`; a row in which any mode came to less than ${LEAST_QPS.toLocaleString("en")} requests/s is invalid |

${pictures === "" ? "" : `## The field's two charts\n\n${pictures}\n\n`}## Figures

The median of the repetitions, with the least and the greatest · the client's part of the processor time of client, proxy and server · how much of it all three
took for a request. With its single repetitions: [results.json](performance/results.json).

${tables(rows)}
`;
}
