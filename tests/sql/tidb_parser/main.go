// Reads SQL statements, one JSON string per line, and lets TiDB's own parser judge each.
//
// For every statement that is not exactly one statement of TiDB's grammar, one JSON object {"line", "sql", "error"} is
// printed. The exit status says only whether the input could be read: 0, or 2.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/pingcap/tidb/pkg/parser"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // the parser needs some driver for literals; this one has no server behind it
)

type rejected struct {
	Line  int    `json:"line"`
	SQL   string `json:"sql"`
	Error string `json:"error"`
}

func main() {
	judge := parser.New()
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<20), 64<<20) // as large as TiDB's own max_allowed_packet
	for number := 1; lines.Scan(); number++ {
		var sql string
		if err := json.Unmarshal(lines.Bytes(), &sql); err != nil {
			fail(fmt.Errorf("line %d is not a JSON string: %w", number, err))
		}
		if reason := refusal(judge, sql); reason != "" {
			if err := out.Encode(rejected{number, sql, reason}); err != nil {
				fail(err)
			}
		}
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
}

func refusal(judge *parser.Parser, sql string) string {
	statements, _, err := judge.Parse(sql, "utf8mb4", "utf8mb4_bin")
	if err != nil {
		return err.Error()
	}
	if len(statements) != 1 {
		return fmt.Sprintf("%d statements in one text; TiDB refuses that by default (8130)", len(statements))
	}
	return ""
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}
