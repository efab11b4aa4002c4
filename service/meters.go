package service

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// meters are what /metrics tells.
type meters struct {
	handler  http.Handler
	requests *prometheus.CounterVec   // by operation and status
	seconds  *prometheus.HistogramVec // by operation
	rows     *prometheus.CounterVec   // by operation
	together *prometheus.HistogramVec // requests and rows of a call of the engine, by operation
	width    *prometheus.HistogramVec
	reloads  *prometheus.CounterVec // by run and outcome
	step     *prometheus.GaugeVec   // by run
}

func newMeters(s *Service) *meters {
	m := &meters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mattis_requests_total",
			Help: "Requests answered, by operation and status; 499 is a client that had gone."}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mattis_request_seconds",
			Help: "Time from the head of a request to the end of its answer.", Buckets: prometheus.ExponentialBuckets(1e-4, 4, 10)}, []string{"operation"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mattis_rows_total",
			Help: "Rows that were asked about or drawn."}, []string{"operation"}),
		together: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mattis_batch_requests",
			Help: "Requests that shared a call of the engine.", Buckets: prometheus.ExponentialBuckets(1, 2, 8)}, []string{"operation"}),
		width: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mattis_batch_rows",
			Help: "Rows of a call of the engine.", Buckets: prometheus.ExponentialBuckets(1, 4, 7)}, []string{"operation"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mattis_reloads_total",
			Help: "Checkpoints that came while the service ran."}, []string{"run", "outcome"}),
		step: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mattis_checkpoint_step",
			Help: "Updates that the served machine was trained for."}, []string{"run"}),
	}
	queue := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mattis_queue_requests",
		Help: "Requests that wait or are worked on."}, func() float64 { return float64(s.queued.Load()) })
	held := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mattis_held_bytes",
		Help: "Memory set aside for the rows and answers of these."}, func() float64 { return float64(s.memory.Load()) })
	r := prometheus.NewRegistry()
	r.MustRegister(m.requests, m.seconds, m.rows, m.together, m.width, m.reloads, m.step, queue, held,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
	return m
}

// done counts a request.
func (m *meters) done(operation string, status int, begun time.Time) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(operation).Observe(time.Since(begun).Seconds())
}
