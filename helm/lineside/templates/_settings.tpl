{{- /* lineside.toml: what the chart decides, then `settings`. */ -}}
{{- define "lineside.toml" -}}
broker = {{ printf "kafka://%s" (include "lineside.bootstrap" .) | toJson }}
group = {{ toJson .Values.kafka.group }}
broker_security = {{ toJson .Values.kafka.security }}
{{- if include "lineside.caSecret" . }}
broker_ca = "/etc/lineside/broker-ca/ca.crt"
{{- end }}
{{- if include "lineside.passwordSecret" . }}
broker_user = {{ include "lineside.user" . | toJson }}
broker_password = "file:/etc/lineside/broker-password/password"
{{- end }}
{{- if include "lineside.certificateSecret" . }}
broker_certificate = "/etc/lineside/broker-certificate/user.crt"
broker_key = "/etc/lineside/broker-certificate/user.key"
{{- end }}
{{- if eq .Values.kafka.security "plaintext" }}
plaintext_brokers = {{ toJson .Values.kafka.plaintextHosts }}
{{- end }}
host = "0.0.0.0"
port = 8080
read_tokens = "file:/etc/lineside/read-tokens/tokens"
{{- if .Values.web.metricsTokens.secret }}
metrics_tokens = "file:/etc/lineside/metrics-tokens/tokens"
{{- end }}
data_dir = "/var/lib/lineside"
{{- if .Values.policy }}
policy = "/etc/lineside/settings/policy.toml"
{{- end }}
{{- range $name, $value := .Values.settings }}
{{- if kindIs "map" $value }}
{{ $name }} = { {{- range $i, $key := keys $value | sortAlpha }}{{ if $i }}, {{ end }}{{ toJson $key }} = {{ get $value $key | toJson }}{{ end -}} }
{{- else }}
{{ $name }} = {{ toJson $value }}
{{- end }}
{{- end }}
{{- end }}
