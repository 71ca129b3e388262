// Draws every chart with the colours of the page, and again when the reader switches between light and dark.
const charts = JSON.parse(document.getElementById("charts").textContent);
function draw() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue("--" + name).trim();
  const names = new Set(["paper", "first", "second", "accent", "grey"]);
  const filled = JSON.parse(JSON.stringify(charts), (_, value) =>
    typeof value === "string" && value[0] === "$" && names.has(value.slice(1)) ? colour(value.slice(1)) : value);
  const axis = { gridcolor: colour("grid"), linecolor: colour("line"), zeroline: false, ticks: "outside", tickcolor: colour("line") };
  for (const chart of filled) {
    const layout = Object.assign({
      height: 340, margin: { l: 56, r: 12, t: 28, b: 48 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, Segoe UI, Roboto, Arial, sans-serif", size: 12, color: colour("soft") },
      legend: { orientation: "h", x: 1, xanchor: "right", y: 1.02, yanchor: "bottom" },
      hoverlabel: { bgcolor: colour("panel"), font: { color: colour("ink") } },
    }, chart.layout);
    layout.xaxis = Object.assign({}, axis, chart.layout.xaxis);
    layout.yaxis = Object.assign({}, axis, chart.layout.yaxis);
    Plotly.react(chart.name, chart.traces, layout, { displayModeBar: false, responsive: true });
  }
}
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
