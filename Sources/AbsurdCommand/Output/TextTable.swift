/// Rows under headings, each column as wide as its widest text.
struct TextTable {
    private var rows: [[String]]
    private static let widest = 80

    init(_ headings: String...) {
        rows = [headings]
    }

    mutating func add(_ texts: String...) {
        rows.append(texts.map { $0.printable.shortened(to: Self.widest) })
    }

    var text: String {
        let widths = rows.first?.indices.map { column in rows.map { $0[column].count }.max() ?? 0 } ?? []
        return rows.map { row in
            var line = ""
            for (text, width) in zip(row, widths) {
                line += text + String(repeating: " ", count: width - text.count + 2)
            }
            return String(line.trimmingSuffix { $0 == " " })
        }.joined(separator: "\n")
    }
}

extension String {
    fileprivate func trimmingSuffix(while isDropped: (Character) -> Bool) -> Substring {
        var end = endIndex
        while end > startIndex, isDropped(self[index(before: end)]) { end = index(before: end) }
        return self[..<end]
    }
}
