module skene.example.com/tidb_parser

go 1.23.2

// TiDB's grammar as it was in the week in which release 8.5 was cut: what passes here passes on every 8.5.
require github.com/pingcap/tidb/pkg/parser v0.0.0-20241118164214-4f047be191be

require (
	github.com/pingcap/errors v0.11.5-0.20240311024730-e056997136bb // indirect
	github.com/pingcap/failpoint v0.0.0-20240528011301-b51a646c7c86 // indirect
	github.com/pingcap/log v1.1.0 // indirect
	go.uber.org/atomic v1.11.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.27.0 // indirect
	golang.org/x/text v0.19.0 // indirect
	gopkg.in/natefinch/lumberjack.v2 v2.2.1 // indirect
)
