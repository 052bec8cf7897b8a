import Foundation

/// Throughput of all systems as bars on a logarithmic scale, for pages that show pictures.
struct BenchChart {
    let results: [BenchResult]

    private static let scenarios = [
        ("drain", "empty tasks drained a second"), ("steps", "five-step workflows a second"),
        ("spawn-batch", "spawned a second in batches"),
        ("spawn-one", "spawned a second, one by one, 16 callers"),
    ]
    private static let (labelWidth, barWidth, rowHeight) = (130.0, 430.0, 22.0)

    var svg: String {
        var y = 20.0
        var rows: [String] = []
        let largest = results.map(\.rate).max() ?? 1
        for (scenario, title) in Self.scenarios {
            let group = results.filter { $0.scenario == scenario && $0.rate > 0 }.sorted { $0.rate > $1.rate }
            guard !group.isEmpty else { continue }
            rows.append(#"<text x="10" y="\#(y)" class="title">\#(title)</text>"#)
            y += 10
            for result in group {
                rows.append(row(result, y: y, largest: largest))
                y += Self.rowHeight
            }
            y += 24
        }
        rows.append(#"<text x="10" y="\#(y)">The scale is logarithmic.</text>"#)
        y += 14
        let width = Self.labelWidth + Self.barWidth + 90
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(width)) \(Int(y))" role="img">
            <style>
              text { font: 13px sans-serif; fill: #57606a } .title { font-weight: bold }
              .own { fill: #d2691e } .peer { fill: #8c959f }
            </style>
            \(rows.joined(separator: "\n"))
            </svg>

            """
    }

    private func row(_ result: BenchResult, y: Double, largest: Double) -> String {
        // From one a second to the fastest of all.
        let share = max(log10(max(result.rate, 1)) / log10(max(largest, 10)), 0.01)
        let kind = result.system == BenchJob.ours ? "own" : "peer"
        let bar = Self.labelWidth + share * Self.barWidth
        return """
            <text x="\(Self.labelWidth - 6)" y="\(y + 13)" text-anchor="end">\(result.system)</text>
            <rect x="\(Self.labelWidth)" y="\(y)" width="\(share * Self.barWidth)" height="16" class="\(kind)"/>
            <text x="\(bar + 6)" y="\(y + 13)">\(BenchResult.text(result.rate))</text>
            """
    }
}
