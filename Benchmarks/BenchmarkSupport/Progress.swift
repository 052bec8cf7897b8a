import Foundation

/// Says how far a measurement is, on standard error, so that standard output is the result.
package func progress(_ text: String) {
    FileHandle.standardError.write(Data("\(text)\n".utf8))
}

extension Duration {
    package var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
