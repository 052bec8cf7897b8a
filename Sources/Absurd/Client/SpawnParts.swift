/// How the rows of one transaction are divided among statements, so that none grows with what a caller passes.
package struct SpawnParts: Sendable {
    /// Positions of rows; each one is in one part.
    package let parts: [[Int]]

    package init(_ rows: [SpawnRow], limits: BatchLimits = BatchLimits(rows: 2000)) {
        var parts = Self.divided(Array(rows.indices), rows, limits)
        if parts.count > 1, rows.contains(where: { $0.idempotencyKey != nil }) {
            // A statement takes its keys in order. Several must too, or two transactions could wait for each other.
            let sorted = rows.indices.sorted { left, right in
                switch (rows[left].idempotencyKey, rows[right].idempotencyKey) {
                case (let key?, let other?) where key != other: key < other
                case (nil, _?): false
                case (_?, nil): true
                default: left < right
                }
            }
            parts = Self.divided(sorted, rows, limits)
        }
        self.parts = parts
    }

    private static func divided(_ order: [Int], _ rows: [SpawnRow], _ limits: BatchLimits) -> [[Int]] {
        var parts: [[Int]] = []
        var bytes = 0
        for index in order {
            let size = rows[index].byteCount
            // A row of any size goes; a large one goes alone.
            if let last = parts.last, last.count < limits.rows, bytes + size <= limits.bytes {
                parts[parts.count - 1].append(index)
                bytes += size
            } else {
                parts.append([index])
                bytes = size
            }
        }
        return parts
    }
}
