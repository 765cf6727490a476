//! Generation of an appup, beside the floor and two Erlang baselines, under Criterion.

mod common;

use std::time::Duration;

use common::appup::Work;
use common::erlang::{self, Erlang};
use common::modules;
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};

fn appup(criterion: &mut Criterion) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let beams = modules::beams(&erlang::library_dir());
    let mut baselines = Erlang::start(root.path(), "appup_baseline");
    for size in [100, 1_000, 10_000] {
        let work = Work::make(root.path(), &beams, size);
        let mut group = criterion.benchmark_group("appup");
        group
            .sampling_mode(SamplingMode::Flat)
            .sample_size(10)
            .throughput(Throughput::Elements(size as u64));
        group
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(3));
        for threads in [1, 2] {
            group.bench_function(
                BenchmarkId::new(format!("floor/{threads}"), size),
                |bencher| {
                    bencher.iter(|| work.floor(threads));
                },
            );
            group.bench_function(
                BenchmarkId::new(format!("engine/{threads}"), size),
                |bencher| {
                    bencher.iter(|| work.ours(threads));
                },
            );
        }
        for way in ["tuned", "beam_lib"] {
            group.bench_function(BenchmarkId::new(way, size), |bencher| {
                bencher.iter_custom(|count| {
                    (0..count).map(|_| work.erlang(&mut baselines, way)).sum()
                });
            });
        }
    }
}

criterion_group!(benches, appup);
criterion_main!(benches);
