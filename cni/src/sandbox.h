/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pod that a sandbox belongs to, by its process. cri-dockerd says in CNI_ARGS which pod it is by namespace and
 * name only (network/cni/cni.go, buildCNIRuntimeConf()), and names are used again; but CNI_NETNS is the namespace of
 * the sandbox's process, /proc/<pid>/ns/net, and the kubelet puts the pod's uid into the cgroup of that.
 */
#pragma once

#include "slice.h"

/* An UUID, or the hash that the kubelet gives to a static pod: 36 characters at most; names of slices hold more. */
#define POD_UID_SIZE 64

/* Writes the uid to `uid`; false where `netns` is no such path, or its process is in no pod's cgroup, or gone. */
bool pod_uid_of_sandbox(const char *netns, char uid[POD_UID_SIZE]);

/*
 * The uid in /proc/<pid>/cgroup: a directory pod<uid> (driver cgroupfs), or kubepods[-<qos>]-pod<uid>.slice with the
 * uid's dashes as underscores (driver systemd): kubernetes pkg/kubelet/cm, pod_container_manager_linux.go and
 * cgroup_manager_linux.go.
 */
bool pod_uid_in_cgroups(struct slice cgroups, char uid[POD_UID_SIZE]);
