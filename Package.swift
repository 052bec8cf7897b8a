// swift-tools-version: 6.2
import PackageDescription

/// Language settings of every Swift target.
///
/// A misspelt upcoming feature is accepted in silence, so `LanguageSettingsTests` asserts the ones
/// that change behaviour.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),  // SE-0335
    .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
    .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),  // SE-0461
    .enableUpcomingFeature("InferIsolatedConformances"),  // SE-0470
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "swift-absurd",
    platforms: [.macOS("26.0")],
    products: [
        .library(name: "Absurd", targets: ["Absurd"]),
        .library(name: "AbsurdSupervisor", targets: ["AbsurdSupervisor"]),
        .executable(name: "absurd", targets: ["AbsurdCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        .systemLibrary(
            name: "CLibPQ",
            pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]
        ),
        .target(
            name: "CAbsurdSQL"
        ),
        .target(
            name: "LibPQ",
            dependencies: [
                "CLibPQ",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings + [.strictMemorySafety()]
        ),
        .target(
            name: "EphemeralPostgres",
            dependencies: [.product(name: "Subprocess", package: "swift-subprocess")],
            swiftSettings: settings
        ),
        .target(
            name: "Absurd",
            dependencies: [
                "CAbsurdSQL",
                "LibPQ",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "AbsurdSupervisor",
            dependencies: [
                "Absurd",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "AbsurdCommand",
            dependencies: [
                "Absurd",
                "AbsurdSupervisor",
                "EphemeralPostgres",
                "LibPQ",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                "CAbsurdSQL",
                "EphemeralPostgres",
                "LibPQ",
                .product(name: "InMemoryLogging", package: "swift-log"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .testTarget(
            name: "LibPQTests",
            dependencies: [
                "EphemeralPostgres",
                "LibPQ",
                "TestSupport",
                .product(name: "InMemoryLogging", package: "swift-log"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "EphemeralPostgresTests",
            dependencies: [
                "EphemeralPostgres",
                "TestSupport",
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "TestSupportTests",
            dependencies: ["LibPQ", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "SQLTests",
            dependencies: ["ChaosModel", "EphemeralPostgres", "LibPQ", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "AbsurdTests",
            dependencies: [
                "Absurd", "EphemeralPostgres", "LibPQ", "TestSupport",
                .product(name: "InMemoryLogging", package: "swift-log"),
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "SupervisedWorker",
            dependencies: [
                "Absurd",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Tests/SupervisedWorker",
            swiftSettings: settings
        ),
        .testTarget(
            name: "AbsurdSupervisorTests",
            dependencies: [
                "Absurd",
                "AbsurdSupervisor",
                "LibPQ",
                "SupervisedWorker",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "AbsurdCommandTests",
            dependencies: [
                "AbsurdCommand",
                "Absurd",
                "EphemeralPostgres",
                "LibPQ",
                "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ExamplesTests",
            dependencies: [
                "EphemeralPostgres", "TestSupport",
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "InteropTests",
            dependencies: [
                "Absurd",
                "LibPQ",
                "TestSupport",
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            exclude: ["Python"],
            swiftSettings: settings
        ),
        // Measuring programs, no products: targets of this package because they start private servers and look
        // beneath the public API.
        .target(
            name: "BenchmarkSupport",
            dependencies: [
                "Absurd", "EphemeralPostgres", "LibPQ", .product(name: "Logging", package: "swift-log"),
            ],
            path: "Benchmarks/BenchmarkSupport",
            swiftSettings: settings
        ),
        .target(
            name: "ChaosModel", dependencies: ["LibPQ"], path: "Benchmarks/ChaosModel",
            swiftSettings: settings),
        .executableTarget(
            name: "MeasuredWorker",
            dependencies: [
                "Absurd",
                "ChaosModel",
                "LibPQ",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Benchmarks/MeasuredWorker",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Measurements",
            dependencies: [
                "Absurd",
                "BenchmarkSupport",
                "EphemeralPostgres",
                "LibPQ",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Benchmarks/Measurements",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Chaos",
            dependencies: [
                "Absurd",
                "BenchmarkSupport",
                "ChaosModel",
                "EphemeralPostgres",
                "LibPQ",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/Chaos",
            swiftSettings: settings
        ),
    ]
)

// Only who builds the documentation needs the plugin; packages that use this one never resolve it.
if Context.environment["ABSURD_DOCUMENTATION"] != nil {
    package.dependencies += [
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0")
    ]
}
