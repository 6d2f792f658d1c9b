/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pod a container is, as the container runtimes say in CNI_ARGS:
 * `K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart;K8S_POD_UID=…`.
 */
#pragma once

#include "cni-error.h"

struct pod {
	bool present; /* false: the container is no pod of Kubernetes, none of the three is said */
	struct slice namespace, name, uid;
};

/*
 * `args` is CNI_ARGS; where it does not say the uid, `netns`, CNI_NETNS, may tell: sandbox.h. Fails with code 4 where
 * CNI_ARGS is not made of pairs, or a part of the three is not to be had. The uid is needed because the name of a pod
 * is used again, by a StatefulSet at once.
 */
bool read_pod(const char *args, const char *netns, struct pod *pod, struct cni_error *error);
