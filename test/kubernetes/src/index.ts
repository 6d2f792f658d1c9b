// What bench/ has of it: a cluster with a control plane, a node of the lab and the chart's agent.
export { untilWatches } from "./cluster/agent-view.ts";
export { Cluster, type ClusterOptions } from "./cluster/cluster.ts";
export { MEMBER_LABEL } from "./cluster/objects.ts";
