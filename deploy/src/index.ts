// The chart
export { GENERATED, PLAIN_MANIFESTS } from "./chart/generated.ts";
export { HelmError, helm, helmBinary } from "./chart/helm.ts";
export { CHART, NAMESPACE, PROFILES } from "./chart/places.ts";
export { type KubernetesObject, parseObjects, type Rendering, render, renderText } from "./chart/render.ts";
// The image
export { type Bundles, writeBundles } from "./image/bundle.ts";
export { writeContext } from "./image/context.ts";
