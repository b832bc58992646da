{{- /* What the schema can't say: values that don't go together. */ -}}
{{- define "lineside.checks" -}}
{{- $v := .Values -}}
{{- $standbys := get $v.settings "standbys" | default 0 | int -}}
{{- if not (include "lineside.bootstrap" .) -}}
{{- fail "kafka.bootstrap is empty: give host:port of a broker, or the name of a Strimzi cluster in strimzi.cluster" -}}
{{- end -}}
{{- if not $v.web.readTokens.secret -}}
{{- fail "web.readTokens.secret is empty: the page listens on more than loopback, so it needs tokens; make a secret with a key `tokens` and name it here" -}}
{{- end -}}
{{- if eq $v.kafka.security "sasl_ssl" -}}
{{- if not (include "lineside.user" .) -}}
{{- fail "kafka.user is empty: kafka.security is sasl_ssl, which needs a user and kafka.password.secret; or let Strimzi make one with strimzi.cluster" -}}
{{- end -}}
{{- if not (include "lineside.passwordSecret" .) -}}
{{- fail (printf "kafka.password.secret is empty: name the secret with the password of %s" $v.kafka.user) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $v.kafka.security "plaintext") (not $v.kafka.plaintextHosts) -}}
{{- fail "kafka.plaintextHosts is empty: kafka.security is plaintext, and a broker is spoken to so only if its host is named there" -}}
{{- end -}}
{{- if $v.autoscaling.enabled -}}
{{- if gt (int $v.autoscaling.max) (int $v.kafka.partitions) -}}
{{- fail (printf "autoscaling.max is %d, and kafka.partitions is %d: a worker more than there are partitions has nothing to do" (int $v.autoscaling.max) (int $v.kafka.partitions)) -}}
{{- end -}}
{{- if gt (int $v.autoscaling.min) (int $v.autoscaling.max) -}}
{{- fail (printf "autoscaling.min is %d, and autoscaling.max is %d" (int $v.autoscaling.min) (int $v.autoscaling.max)) -}}
{{- end -}}
{{- else if gt (int $v.replicas) (int $v.kafka.partitions) -}}
{{- fail (printf "replicas is %d, and kafka.partitions is %d: a worker more than there are partitions has nothing to do" (int $v.replicas) (int $v.kafka.partitions)) -}}
{{- end -}}
{{- $workers := ternary $v.autoscaling.min $v.replicas $v.autoscaling.enabled | int -}}
{{- if ge $standbys $workers -}}
{{- fail (printf "settings.standbys is %d, and there can be %d worker(s): each copy needs another worker" $standbys $workers) -}}
{{- end -}}
{{- if $v.desk.enabled -}}
{{- if not $v.desk.database.url -}}
{{- fail "desk.database.url is empty: the desk takes a PostgreSQL, as postgresql://USER@HOST/NAME" -}}
{{- end -}}
{{- if not $v.desk.tokens.secret -}}
{{- fail "desk.tokens.secret is empty: others reach the desk, so it needs tokens; make a secret with a key `tokens` and name it here" -}}
{{- end -}}
{{- end -}}
{{- if and $v.strimzi.users (not $v.strimzi.cluster) -}}
{{- fail "strimzi.users are given, and strimzi.cluster is empty: which cluster are they of?" -}}
{{- end -}}
{{- if hasKey $v.strimzi.users (include "lineside.name" .) -}}
{{- fail (printf "strimzi.users has %s, which is the worker's own user" (include "lineside.name" .)) -}}
{{- end -}}
{{- if and $v.desk.enabled (hasKey $v.strimzi.users (printf "%s-desk" (include "lineside.name" .))) -}}
{{- fail (printf "strimzi.users has %s-desk, which is the desk's own user" (include "lineside.name" .)) -}}
{{- end -}}
{{- end }}
