// The shape of a watcher, and what watchers are made of

// CNI socket
export { type CniAnswer, type CniSocketOptions, cniSocketWatcher } from "./cni-socket/cni-socket-watcher.ts";
export type { CniEngine } from "./cni-socket/handle-request.ts";
export { SOCKET_CODES } from "./cni-socket/replies.ts";
export type { Attachment } from "./cni-socket/stale-attachments.ts";
// Looking at a directory: notified of changes, one look at a time
export { DirectoryWatch } from "./directory-watch.ts";
export type { DiscoveryPlaces } from "./discovery/discovery-pass.ts";
// Discovery of interfaces that CNI did not announce
export { DEFAULT_NETNS_DIRECTORIES, type DiscoveryOptions, discoveryWatcher } from "./discovery/discovery-watcher.ts";
export { listNetns, type NetnsFile } from "./discovery/list-netns.ts";
export type { WantedPod } from "./discovery/wanted-pod.ts";
// Errors
export { WatcherError, type WatcherErrorCode, watcherErrors } from "./errors.ts";
// Changes of what we have in the kernel
export { type KernelChangesOptions, kernelChanges } from "./kernel-changes/kernel-changes.ts";
export type { Marks } from "./kernel-changes/ours.ts";
// Kubernetes API server
export { ApiStatusError } from "./kubernetes/api-errors.ts";
export { KubernetesApi, type KubernetesApiOptions } from "./kubernetes/kubernetes-api.ts";
export { type KubernetesOptions, type KubernetesWatcher, kubernetesWatcher } from "./kubernetes/kubernetes-watcher.ts";
export { WATCH_STATES, type WatchState, type WatchStatistics } from "./kubernetes/watch-statistics.ts";
// Kernel links and addresses
export { type LinksOptions, linksWatcher } from "./links/links-watcher.ts";
export type { WatcherLog } from "./log.ts";
// Manifests directory
export { type ManifestsOptions, manifestsWatcher } from "./manifests/manifests-watcher.ts";
export { type Manifest, type ManifestObject, parseManifest } from "./manifests/parse-manifest.ts";
export { MAX_MANIFEST_BYTES } from "./manifests/read-directory.ts";
// Where the node's network namespace is
export type { NodeNetns } from "./netns/node-view.ts";
// Kubernetes objects, reduced
export type { ObservedInput } from "./objects/observed.ts";
export { RefreshLoop, type RefreshLoopOptions } from "./refresh-loop.ts";
export { startWatchers } from "./start-watchers.ts";
export type { Sink, Watcher } from "./watcher.ts";
