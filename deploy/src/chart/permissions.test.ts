import { expect, test } from "vitest";
import { z } from "zod";
import { only } from "../testing/objects.test.kit.ts";
import { type KubernetesObject, type Rendering, render } from "./render.ts";

const rules = (objects: KubernetesObject[], kind: string) =>
  z
    .looseObject({
      rules: z.array(
        z.object({
          apiGroups: z.array(z.string()),
          resources: z.array(z.string()),
          resourceNames: z.array(z.string()).optional(),
          verbs: z.array(z.string()),
        }),
      ),
    })
    .parse(only(objects, kind)).rules;
const policies = (rendering: Rendering = {}) =>
  render(rendering).filter(({ kind }) => kind === "ValidatingAdmissionPolicy");
const taint = { values: { "startupTaint.enabled": true } };

test("the agent's account may do this and nothing else", () => {
  expect(rules(render(), "ClusterRole")).toEqual([
    { apiGroups: [""], resources: ["pods", "namespaces", "nodes"], verbs: ["list", "watch"] },
    { apiGroups: [""], resources: ["pods"], verbs: ["get"] },
    { apiGroups: [""], resources: ["pods/status"], verbs: ["patch"] },
    { apiGroups: [""], resources: ["nodes"], verbs: ["get"] },
    { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
  ]);
  expect(rules(render(), "Role")).toEqual([
    { apiGroups: ["apps"], resources: ["daemonsets"], resourceNames: ["millrace-agent"], verbs: ["get"] },
  ]);
});

test("it may patch nodes only for the startup taint", () => {
  expect(rules(render(taint), "ClusterRole").at(-1)).toEqual({
    apiGroups: [""],
    resources: ["nodes"],
    verbs: ["patch"],
  });
});

test("permissions are bound to the agent's account, and to no other", () => {
  const subjects = [{ kind: "ServiceAccount", name: "millrace-agent", namespace: "elsewhere" }];
  const objects = render({ namespace: "elsewhere" });
  expect(only(objects, "ClusterRoleBinding")).toMatchObject({
    subjects,
    roleRef: { name: "millrace-agent-elsewhere" },
  });
  expect(only(objects, "RoleBinding")).toMatchObject({ subjects, roleRef: { kind: "Role", name: "millrace-agent" } });
});

test("the node proxy's account gets no token", () => {
  const objects = render({ values: { "nodeProxy.enabled": true } });
  expect(only(objects, "ServiceAccount", "millrace-node-proxy")).toMatchObject({ automountServiceAccountToken: false });
});

test("patches are narrowed to the agent's own node, its annotation, its Events and its taint", () => {
  expect(policies().map(({ metadata }) => metadata.name)).toEqual([
    "millrace-agent-millrace-system-pods",
    "millrace-agent-millrace-system-events",
  ]);
  expect(policies(taint).map(({ metadata }) => metadata.name)).toEqual([
    "millrace-agent-millrace-system-pods",
    "millrace-agent-millrace-system-events",
    "millrace-agent-millrace-system-nodes",
  ]);
  for (const policy of policies(taint)) {
    expect(policy.spec).toMatchObject({
      failurePolicy: "Fail",
      matchConditions: [
        { expression: "request.userInfo.username == 'system:serviceaccount:millrace-system:millrace-agent'" },
      ],
    });
    expect(JSON.stringify(policy.spec)).toContain("authentication.kubernetes.io/node-name");
    expect(only(render(taint), "ValidatingAdmissionPolicyBinding", policy.metadata.name).spec).toEqual({
      policyName: policy.metadata.name,
      validationActions: ["Deny"],
    });
  }
});

test("what the role may change, the policies look at, with their subresources", () => {
  const changed = rules(render(taint), "ClusterRole")
    .filter(({ verbs }) => verbs.includes("patch"))
    .flatMap(({ resources }) => resources);
  const matched = policies(taint).flatMap(({ spec }) =>
    z
      .looseObject({
        matchConstraints: z.object({ resourceRules: z.array(z.looseObject({ resources: z.array(z.string()) })) }),
      })
      .parse(spec)
      .matchConstraints.resourceRules.flatMap(({ resources }) => resources),
  );
  expect(matched).toEqual(["pods", "pods/status", "events", "nodes", "nodes/status"]);
  expect(matched).toEqual(expect.arrayContaining(changed));
});

test("they can be left out, where an admission of one's own does the same", () => {
  expect(policies({ values: { "admissionPolicy.enabled": false } })).toEqual([]);
});
