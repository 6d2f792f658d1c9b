{{/*
Fixed, whatever the release is called: a cluster has one, and the CNI plugin lets the pods through whose names begin like this
when no agent answers (docs/installing.md).
*/}}
{{- define "millrace.agent" -}}millrace-agent{{- end -}}

{{- define "millrace.nodeProxy" -}}millrace-node-proxy{{- end -}}

{{/* Names of cluster-wide objects tell releases in different namespaces apart. */}}
{{- define "millrace.clusterAgent" -}}{{ include "millrace.agent" . }}-{{ .Release.Namespace }}{{- end -}}

{{/* Labels that select: they must not change from one version to the next. Call with (dict "name" … "root" $). */}}
{{- define "millrace.selectorLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "millrace.labels" -}}
{{ include "millrace.selectorLabels" . }}
app.kubernetes.io/part-of: millrace
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{/* Call with (dict "image" … "default" tag). */}}
{{- define "millrace.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .default }}
{{- end -}}
{{- end -}}

{{/* Port of /healthz, /readyz and /metrics. */}}
{{- define "millrace.httpPort" -}}{{ int .Values.httpPort }}{{- end -}}

{{/* A heap that is as large as the container may become has the agent killed in place of its garbage collected. */}}
{{- define "millrace.maxOldSpaceMiB" -}}
{{- $heap := int .Values.maxOldSpaceMiB -}}
{{- $limit := dig "limits" "memory" "" .Values.resources | toString -}}
{{- $mib := 0 -}}
{{- if regexMatch "^[0-9]+Mi$" $limit -}}{{- $mib = trimSuffix "Mi" $limit | int -}}{{- end -}}
{{- if regexMatch "^[0-9]+Gi$" $limit -}}{{- $mib = trimSuffix "Gi" $limit | int | mul 1024 -}}{{- end -}}
{{- if and (gt (int $mib) 0) (le (int $mib) $heap) -}}
{{- fail (printf "maxOldSpaceMiB is %d, and resources.limits.memory (%s) has no room for more than that: raise the limit to about twice as much, or lower maxOldSpaceMiB" $heap $limit) -}}
{{- end -}}
{{- $heap -}}
{{- end -}}
