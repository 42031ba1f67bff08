package collectorstest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Post sends a line over a connection as the body of a request, and returns an error unless it is
// answered 200.
func Post(path, contentType string) func(conn net.Conn, line string) error {
	return func(conn net.Conn, line string) error {
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, contentType, len(line), line); err != nil {
			return err
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("answered %d", resp.StatusCode)
		}
		return nil
	}
}
