"""Grafana's dashboards, written in Python so that what they ask can be tested against what is measured."""

from k8s_charts.dashboards import business, generation, infrastructure
from k8s_charts.dashboards.board import Board

BOARDS: tuple[Board, ...] = (generation.BOARD, infrastructure.BOARD, business.BOARD)
