import { LEAST_QPS } from "./validity.ts";

/** The part of the page that is the same of every run. */
export const METHOD = `## What is compared

| mode | the client's connections |
| --- | --- |
| direct | go to the server, and nobody is between |
| explicit | go to the proxy, which the client knows: what a user would do without redirection |
| ebpf-tcx, ebpf-clsact | are led to the proxy by the eBPF backend, attached in either way |
| iptables-nft, iptables-legacy | are led to the proxy by the iptables backend, in either flavour; a first packet travels in Geneve, or in VXLAN where the kernel has no Geneve |

The light rig: wrk or Fortio as the client, and the server and the relay of [bench/rig](../bench/README.md#make-bench), which cost little, so that the way shows. The tables of HAProxy
and nginx have those as proxy and server: where users are. The client is a member, the server is not, so a request passes the proxy once. All of it is IPv4, in network namespaces that are made anew for
each repetition of each mode; modes take turns. Every run was checked by the kernel's counters of the proxy's namespace: all that the client read came there first, and in \`direct\` nothing did.

| load | |
| --- | --- |
| http | wrk, 16 connections, 128 bytes |
| bulk | wrk, 4 connections, 1 MiB |
| connect | wrk, 16 connections at a time, a new one for each request |
| round-trip | wrk, 1 connection, 1 byte: a transaction at a time, as in netperf's TCP_RR, with HTTP's heads |
| max-qps-N | \`fortio load -uniform -qps 0 -c N\` |
| p75-N | \`fortio load -uniform -qps 8000 -c N\`; a row in which any mode came to less than ${LEAST_QPS.toLocaleString("en")} requests/s is invalid |`;
