{{- /* How the brokers are reached: what is given, or what Strimzi calls it. */ -}}
{{- define "lineside.bootstrap" -}}
{{- $port := ternary "9092" "9093" (eq .Values.kafka.security "plaintext") -}}
{{- if .Values.kafka.bootstrap -}}
{{ .Values.kafka.bootstrap }}
{{- else if .Values.strimzi.cluster -}}
{{ .Values.strimzi.cluster }}-kafka-bootstrap.{{ .Release.Namespace }}.svc:{{ $port }}
{{- end }}
{{- end }}

{{- define "lineside.strimziUser" -}}
{{- if and .Values.strimzi.cluster .Values.strimzi.user (ne .Values.kafka.security "plaintext") -}}
{{ include "lineside.name" . }}
{{- end }}
{{- end }}

{{- define "lineside.user" -}}
{{ .Values.kafka.user | default (include "lineside.strimziUser" .) }}
{{- end }}

{{- /* The secrets with what brokers ask for; empty where they ask for none. */ -}}
{{- define "lineside.caSecret" -}}
{{- if ne .Values.kafka.security "plaintext" -}}
{{ .Values.kafka.ca.secret | default (empty .Values.strimzi.cluster | ternary "" (printf "%s-cluster-ca-cert" .Values.strimzi.cluster)) }}
{{- end }}
{{- end }}

{{- define "lineside.passwordSecret" -}}
{{- if eq .Values.kafka.security "sasl_ssl" -}}
{{ .Values.kafka.password.secret | default (include "lineside.strimziUser" .) }}
{{- end }}
{{- end }}

{{- define "lineside.certificateSecret" -}}
{{- if eq .Values.kafka.security "ssl" -}}
{{ .Values.kafka.certificate.secret | default (include "lineside.strimziUser" .) }}
{{- end }}
{{- end }}

{{- /* The ports of the brokers, as a YAML list. */ -}}
{{- define "lineside.brokerPorts" -}}
{{- $ports := .Values.networkPolicy.brokerPorts -}}
{{- if not $ports -}}
{{- range splitList "," (include "lineside.bootstrap" .) -}}
{{- $ports = append $ports (splitList ":" . | last | int) -}}
{{- end -}}
{{- end -}}
{{ toJson (uniq $ports) }}
{{- end }}

{{- /* Not empty where KEDA has to show the brokers what the workers show. */ -}}
{{- define "lineside.login" -}}
{{ include "lineside.caSecret" . }}{{ include "lineside.passwordSecret" . }}{{ include "lineside.certificateSecret" . }}
{{- end }}
