#pragma once
// What every Store must do, as a function to be called from the tests of whoever implements one.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <twinmq/store.hpp>

namespace twinmq::testing {

/// Makes an empty store per call and answers a sentence per broken promise; empty: the store
/// conforms. What a power cut or a failing disk does to a store is beyond what this can see.
inline std::vector<std::string> check_store(const std::function<std::unique_ptr<Store>()>& make) {
  using Entries = std::vector<std::pair<std::string, std::string>>;
  std::vector<std::string> failures;
  const auto expect = [&](bool holds, std::string_view promise) {
    if (!holds) failures.emplace_back(promise);
  };
  const auto commit = [&](Store& store, const Batch& batch) {
    const Result<void> done = store.commit(batch, store.durability_max());
    if (!done) failures.push_back("a legal batch is committed, but: " + done.error().detail);
  };
  const auto entries = [&](Store& store, std::string_view from, std::string_view to) {
    Entries found;
    const Result<void> done =
        store.scan(from, to, [&](std::string_view key, std::string_view value) {
          found.emplace_back(key, value);
          return true;
        });
    if (!done) failures.push_back("a scan succeeds, but: " + done.error().detail);
    return found;
  };
  using namespace std::string_literals;

  {
    const std::unique_ptr<Store> store = make();
    expect(entries(*store, "", "").empty(), "a new store is empty");
    commit(*store, Batch());
    expect(entries(*store, "", "").empty(), "an empty batch changes nothing");

    Batch batch;
    batch.put("b", "2");
    batch.put("a", "1");
    batch.put("c", "");
    commit(*store, batch);
    expect(entries(*store, "", "") == Entries{{"a", "1"}, {"b", "2"}, {"c", ""}},
           "a scan of everything yields every entry in ascending order, empty values included");
    expect(entries(*store, "b", "c") == Entries{{"b", "2"}},
           "a scan includes its beginning and not its end");
    expect(entries(*store, "b", "") == Entries{{"b", "2"}, {"c", ""}},
           "a scan with an empty end has no end");
    expect(entries(*store, "aa", "b").empty(), "a scan between two keys yields nothing");

    int seen = 0;
    const Result<void> stopped =
        store->scan("", "", [&](std::string_view, std::string_view) { return ++seen < 2; });
    expect(stopped.has_value() && seen == 2,
           "a visitor that answers false ends the scan, without an error");
  }
  {
    const std::unique_ptr<Store> store = make();
    Batch batch;
    batch.put("k", "old");
    batch.put("k", "new");
    batch.put("gone", "x");
    batch.erase("gone");
    batch.erase("never");
    batch.put("r1", "x");
    batch.put("r2", "x");
    batch.put("r3", "x");
    batch.erase_range("r1", "r3");
    batch.put("r2", "again");
    commit(*store, batch);
    expect(entries(*store, "", "") == Entries{{"k", "new"}, {"r2", "again"}, {"r3", "x"}},
           "the changes of a batch happen in order; a range spares its end");

    Batch second;
    second.put("k", "newer");
    second.erase_range("r", "s");
    second.erase_range("z", "a");
    commit(*store, second);
    expect(
        entries(*store, "", "") == Entries{{"k", "newer"}},
        "later batches replace and erase what earlier ones wrote; an empty range erases nothing");
  }
  {
    const std::unique_ptr<Store> store = make();
    Batch batch;
    const std::string high = "\xff\xfe"s;
    const std::string zero = "a\0b"s;
    const std::string large(100'000, 'v');
    batch.put(high, "h");
    batch.put(zero, large);
    batch.put("a", "short");
    commit(*store, batch);
    expect(entries(*store, "", "") == Entries{{"a", "short"}, {zero, large}, {high, "h"}},
           "keys and values are bytes, ordered as unsigned bytes, zero bytes included");
    const Result<void> reopened = store->reopen();
    expect(reopened.has_value(), "reopening succeeds");
    expect(entries(*store, "", "") == Entries{{"a", "short"}, {zero, large}, {high, "h"}},
           "after reopening, the store holds exactly what was committed");
    Batch more;
    more.erase("a");
    commit(*store, more);
    expect(entries(*store, "", "b").size() == 1, "a reopened store takes commits");
  }
  {
    const std::unique_ptr<Store> store = make();
    Batch batch;
    batch.put("there", std::string("a\0b", 3));
    commit(*store, batch);
    const auto found = store->get("there");
    expect(found.has_value() && *found == std::string("a\0b", 3), "get answers the value of a key");
    const auto missing = store->get("ther");
    expect(missing.has_value() && !missing->has_value(),
           "get answers nothing for a key that is not there");
  }
  {
    const std::unique_ptr<Store> store = make();
    std::atomic<bool> over{false};
    std::atomic<int> torn{0};
    std::thread reader([&] {
      while (!over) {
        std::string first;
        std::string second;
        const Result<void> done =
            store->scan("", "", [&](std::string_view key, std::string_view value) {
              (key == "first" ? first : second) = value;
              return true;
            });
        if (!done || first != second) ++torn;
      }
    });
    for (int i = 0; i < 200; ++i) {
      Batch batch;
      batch.put("first", std::to_string(i));
      batch.put("second", std::to_string(i));
      commit(*store, batch);
    }
    over = true;
    reader.join();
    expect(torn == 0, "a scan on another thread sees every batch as a whole or not at all");
  }
  return failures;
}

}  // namespace twinmq::testing
