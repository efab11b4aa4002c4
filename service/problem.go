package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"mattis/eval"
)

// problem is a refusal in the form of RFC 9457.
type problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail"`
	Errors []fault `json:"errors,omitempty"`

	wait int // seconds of Retry-After, 0 for none
}

// fault says which part of a request is wrong: body.rows[3], query.steps, header.Accept.
type fault struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

func (p *problem) Error() string { return p.Detail }

// refused returns a problem with the request as a whole.
func refused(status int, format string, args ...any) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// at returns a problem with one place of the request.
func at(status int, location, format string, args ...any) *problem {
	p := refused(status, "%s", "")
	p.Errors = []fault{{location, fmt.Sprintf(format, args...)}}
	p.Detail = location + ": " + p.Errors[0].Message
	return p
}

// wrong is a value of the request that is not possible.
func wrong(location, format string, args ...any) *problem {
	return at(http.StatusUnprocessableEntity, location, format, args...)
}

// full is a request too many.
func full(format string, args ...any) *problem {
	p := refused(http.StatusTooManyRequests, format, args...)
	p.wait = 1
	return p
}

// errGone is the error of a request whose client has gone: nobody hears the answer.
var errGone = errors.New("the client has gone")

// statusGone is what the metrics say of it.
const statusGone = 499

// problemOf returns what the client hears of an error, or nil where it has gone.
func problemOf(err error) *problem {
	var p *problem
	var big *http.MaxBytesError
	var none *eval.NoValue
	var slow net.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, errGone), errors.Is(err, context.Canceled):
		return nil
	case errors.As(err, &big):
		return refused(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", big.Limit)
	case errors.As(err, &none):
		return refused(http.StatusUnprocessableEntity, "%s", none.Error())
	case errors.As(err, &slow) && slow.Timeout():
		return refused(http.StatusRequestTimeout, "the body did not come in time")
	}
	return refused(http.StatusInternalServerError, "%s", err)
}

// send answers with the problem.
func (p *problem) send(w http.ResponseWriter) {
	b, err := json.Marshal(p)
	if err != nil {
		panic("service: " + err.Error()) // texts are always encoded
	}
	if p.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.wait))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)+1))
	w.WriteHeader(p.Status)
	w.Write(append(b, '\n'))
}
